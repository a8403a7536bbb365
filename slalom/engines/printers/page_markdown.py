"""A rule's page as Markdown with LaTeX formulas, and the index of rules with the table of moments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slalom.core.rule import Rule
from slalom.engines.printers.moments import moments_table
from slalom.engines.printers.page import Formula, RulePage, build_page
from slalom.engines.printers.page_text import hyper_cells, option_cells, state_cells


def to_markdown(page: RulePage) -> str:
    """The page as Markdown; formulas are `$$` blocks, aligned at the equals sign."""
    twin = f"`torch.optim.{page.torch_name}`" if page.torch_name else "none in torch.optim"
    out = [f"# {page.name}", "", page.description, "", "## Update", ""]
    if page.formula.title != "default":
        out += [f"With `{page.formula.title}`:", ""]
    out += _block(page.formula)
    if page.variants:
        out += ["", "## Variants"]
    for variant in page.variants:
        out += ["", f"### `{variant.title}`", "", *_block(variant)]
    hypers = [(f"`{c[0]}`", *c[1:3], f"`{c[3]}`", *c[4:]) for c in hyper_cells(page, _math)]
    out += ["", "## Hypers", "", *_table(("name", "symbol", "default", "allowed", "torch", "meaning"), hypers)]
    if page.options:
        options = [(f"`{c[0]}`", f"`{c[1]}`", f"`{c[2]}`", c[3]) for c in option_cells(page)]
        out += ["", "## Options", "", *_table(("name", "default", "allowed", "meaning"), options)]
    out += ["", "## States", ""]
    states = [(f"`{c[0]}`", *c[1:]) for c in state_cells(page, _math)]
    out += _table(("name", "symbol", "starts at", "shape", "torch", "exists"), states) if states else ["None."]
    out += ["", f"A float32 step moves at least {page.bytes_per_parameter} bytes a parameter."]
    out += ["", "## Moments", ""]
    for label, lines in (("First", page.moments.first), ("Second", page.moments.second), ("Other", page.moments.other)):
        if lines:
            out.append(f"- {label}: {', '.join(f'`{line}`' for line in lines)}")
    out.append(f"- Step: {page.moments.step}")
    out += ["", "## Source", "", page.source, "", f"Twin: {twin}."]
    if page.differs:
        out += ["", "## How libraries differ", "", page.differs]
    return "\n".join(out) + "\n"


def index_markdown(rules: Iterable[Rule]) -> str:
    """The list of rules, linked to `NAME.md`, and the table of every rule's first and second moment."""
    rules = list(rules)
    rows = []
    for rule in rules:
        page = build_page(rule)
        twin = f"`{page.torch_name}`" if page.torch_name else "-"
        rows.append((f"[{page.name}]({page.name}.md)", page.description, twin, str(page.bytes_per_parameter)))
    out = ["# Rules", "", *_table(("rule", "what it is", "torch.optim", "bytes a parameter"), rows)]
    out += ["", "## Every optimizer is a first and a second moment", ""]
    out += [
        "Found from each rule's formula: a first moment follows the gradient's sign, a second moment its size alone. "
        "Degree: multiply every gradient by k, and the steps are multiplied by k to this power.", "",
    ]  # fmt: skip
    cells = []
    for m in moments_table(rules):
        name = f"{m.rule}, `{m.variant}`" if m.variant else m.rule
        degree = "mixed" if m.step_degree is None else f"{m.step_degree:g}"
        second = m.second or ("1",)
        cells.append((name, *("<br>".join(f"`{x}`" for x in lines) for lines in (m.first, second, m.other)), degree))
    out += _table(("rule", "first moment", "second moment", "other memory", "degree"), cells)
    return "\n".join(out) + "\n"


def _block(formula: Formula) -> list[str]:
    rows = []
    for line in formula.latex:
        sign = min((s for s in (" = ", r" \leftarrow ") if s in line), key=line.index)
        rows.append(line.replace(sign, f" &{sign.lstrip()}", 1))
    return ["$$", r"\begin{aligned}", *(row + r" \\" for row in rows[:-1]), rows[-1], r"\end{aligned}", "$$"]


def _math(symbol: str) -> str:
    return f"${symbol}$"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines]
