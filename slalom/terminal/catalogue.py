"""What there is to choose from, as tables: rules, data sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from rich.table import Table
from rich.text import Text

import slalom.rules  # noqa: F401  (fills the registry)
from slalom.core.errors import BadValueError, StoreError
from slalom.core.files import write_whole
from slalom.core.rule import REGISTRY, Rule
from slalom.terminal.output import console

Form = Literal["text", "markdown", "latex"]


def defaults(rule: Rule) -> str:
    """Every hyper with its default, then every option with its own.

    >>> from slalom.rules import sgd
    >>> defaults(sgd)
    'lr=0.001, momentum=0, dampening=0, weight_decay=0, decoupled_weight_decay=False, nesterov=False'
    """
    hypers = [f"{name}={hyper.default:g}" for name, hyper in rule.hypers.items()]
    return ", ".join(hypers + [f"{name}={option.default!r}" for name, option in rule.options.items()])


def what(rule: Rule) -> str:
    """The rule's sentence without its name in front.

    >>> from slalom.rules import sgd
    >>> what(sgd)
    'Gradient descent, full-batch, mini-batch or stochastic, with momentum on request.'
    """
    sentence = " ".join(rule.doc.split("\n\n")[0].split())
    sentence = sentence.split(": ", 1)[-1]
    return sentence[:1].upper() + sentence[1:]


def plain_table(*titles: str) -> Table:
    """A table without lines, its first column in bold."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for i, title in enumerate(titles):
        made.add_column(title, style="bold" if i == 0 else "", no_wrap=i == 0)
    return made


def rules_table(every: Iterable[Rule]) -> Table:
    """A row a rule: what it does, its settings, what it remembers, its twin in torch.optim."""
    made = plain_table("rule", "what it does", "settings and their defaults", "remembers", "torch.optim")
    for rule in every:
        made.add_row(
            rule.name, Text(what(rule)), Text(defaults(rule), "dim"), ", ".join(rule.states) or "-", rule.torch_name or "-",
            end_section=True,
        )  # fmt: skip
    return made


def names_table(rows: Mapping[str, str], title: str) -> Table:
    """A row a name with its sentence."""
    made = plain_table(title, "")
    for name, sentence in rows.items():
        made.add_row(name, Text(sentence))
    return made


def every_rule() -> list[Rule]:
    """All rules, in the order of their names."""
    return [REGISTRY[name] for name in sorted(REGISTRY)]


def show_rules() -> None:
    """The list of rules."""
    out = console()
    out.print(rules_table(every_rule()))
    out.print(Text("One rule's page, with its formula: slalom rules adam", "dim"))


def show_moments() -> None:
    """Every rule as what it makes of a first and a second moment."""
    from slalom.engines.printers.page_text import moments_text

    print(moments_text(every_rule()))


def rule_page(written: str, form: Form) -> str:
    """The page of `adam`, or of `adam(amsgrad=True)` with the formula under these options."""
    from slalom.engines.printers.page import build_page
    from slalom.engines.printers.page_markdown import to_markdown
    from slalom.engines.printers.page_text import to_text
    from slalom.race.entrants import entrant

    named = entrant(written)
    if named.is_torch:
        raise BadValueError(f"{written} is torch's own class, which has no page here; `slalom rules` lists those that do")
    page = build_page(REGISTRY[named.target], **named.hypers)
    if form == "latex":
        return "\n".join(page.formula.latex)
    return (to_markdown(page) if form == "markdown" else to_text(page)).rstrip("\n")


def write_rules(directory: Path) -> list[Path]:
    """Every rule's page and an index as Markdown in `directory`; the files that were written."""
    from slalom.engines.printers.page_markdown import index_markdown

    pages = {"index": index_markdown(every_rule())}
    pages |= {rule.name: rule_page(rule.name, "markdown") for rule in every_rule()}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            write_whole(directory / f"{name}.md", text.rstrip("\n") + "\n", lasting=False)
    except OSError as error:
        raise StoreError(f"cannot write the pages to {directory}: {error.strerror or error}") from error
    return [directory / f"{name}.md" for name in pages]


def show_data() -> None:
    """The built-in data sets."""
    from slalom.data import names

    out = console()
    out.print(names_table(names(), "data set"))
    out.print(Text("Your own: slalom race file.csv --target COLUMN  (.csv, .tsv, .parquet, .npz)", "dim"))
