"""A rule's page as plain text for a terminal of 100 columns, and the list of rules."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from slalom.core.rule import Rule
from slalom.engines.printers.moments import moments_table
from slalom.engines.printers.page import Formula, RulePage
from slalom.engines.printers.symbols import plain

WIDTH = 100


def to_text(page: RulePage) -> str:
    """The page as plain lines of at most 100 columns (a formula that is longer is left whole)."""
    out = [page.name, "=" * len(page.name), *textwrap.wrap(page.description, WIDTH), ""]
    out += ["Update" if page.formula.title == "default" else f"Update, {page.formula.title}"]
    out += [f"    {line}" for line in page.formula.text]
    if page.variants:
        out += ["", "Variants (lines marked > differ from the update above)"]
    for variant in page.variants:
        out += ["", f"  {variant.title}", *marked_lines(page.formula, variant)]
    out += [
        "",
        "Hypers",
        *table(("name", "symbol", "default", "allowed", "torch", "meaning"), hyper_cells(page, plain)),
    ]
    if page.options:
        out += ["", "Options", *table(("name", "default", "allowed", "meaning"), option_cells(page))]
    states = state_cells(page, plain)
    head = ("name", "symbol", "starts at", "shape", "torch", "exists")
    out += ["", "States", *(table(head, states) if states else ["  none"])]
    out += ["", "Moments", f"  first    {page.moments.first[0]}", *(f"           {x}" for x in page.moments.first[1:])]
    for label, lines in (("second", page.moments.second), ("other", page.moments.other)):
        out += [f"  {label if k == 0 else '':<8} {line}" for k, line in enumerate(lines)]
    out += [f"  step     {page.moments.step}"]
    out += ["", *_wrapped(f"Memory: a float32 step moves at least {page.bytes_per_parameter} bytes a parameter.")]
    twin = f"torch.optim.{page.torch_name}" if page.torch_name else "torch.optim has none"
    out += [*_wrapped(f"Twin: {twin}"), *_wrapped(f"Source: {page.source}")]
    if page.differs:
        out += _wrapped(f"Differs: {page.differs}")
    return "\n".join(out)


def moments_text(rules: Iterable[Rule]) -> str:
    """The table of first and second moments as text."""
    rows = []
    for m in moments_table(rules):
        name = f"{m.rule}, {m.variant}" if m.variant else m.rule
        told = [("first", x) for x in m.first] + [("second", x) for x in m.second or ("1",)]
        told += [*(("other", x) for x in m.other), ("step", m.step)]
        rows += [(name if k == 0 else "", *cells) for k, cells in enumerate(told)]
    return "\n".join(table(("rule", "moment", "formula"), rows))


def marked_lines(base: Formula, variant: Formula) -> list[str]:
    """The variant's lines, indented by four; those that the main formula does not have begin with `>`."""
    return [f"    {line}" if line in base.text else f"  > {line}" for line in variant.text]


def hyper_cells(page: RulePage, symbols: Callable[[str], str]) -> list[tuple[str, ...]]:
    """Rows of the table of hypers; `symbols` turns a LaTeX symbol into a cell."""
    return [
        (
            h.name, symbols(h.symbol),
            ", ".join([f"{h.default:g}", *(f"{c} {v:g}" for c, v in h.by_convention.items())]),
            h.allowed, "-" if h.torch is None else "same" if h.torch == h.name else h.torch, h.doc,
        )
        for h in page.hypers
    ]  # fmt: skip


def option_cells(page: RulePage) -> list[tuple[str, ...]]:
    """Rows of the table of options."""
    rows: list[tuple[str, ...]] = []
    for o in page.options:
        needs = f"; needs {o.needs}" if o.needs else ""
        defaults = "" if o.changes_formula else "; changes defaults alone"
        rows.append((o.name, repr(o.default), o.allowed.removeprefix("one of "), f"{o.doc}{needs}{defaults}"))
    return rows


def state_cells(page: RulePage, symbols: Callable[[str], str]) -> list[tuple[str, ...]]:
    """Rows of the table of states."""
    return [
        (s.name, symbols(s.symbol), s.start, s.shape, s.torch or "-", f"with {s.when}" if s.when else "always")
        for s in page.states
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned columns; the last one wraps so that a line stays within the width, if it leaves room for 10 columns."""
    columns = list(zip(head, *rows, strict=True))
    widths = [max(map(columns_of, c)) for c in columns]
    room = max(10, WIDTH - sum(widths[:-1]) - 2 * len(head))
    lines = []
    for row in [head, *rows]:
        last = textwrap.wrap(row[-1], room) or [""]
        cells = [cell + " " * (w - columns_of(cell)) for cell, w in zip(row[:-1], widths[:-1], strict=True)]
        lines.append("  " + "  ".join([*cells, last[0]]).rstrip())
        lines += [" " * (sum(widths[:-1]) + 2 * len(head)) + more for more in last[1:]]
    return lines


def columns_of(cell: str) -> int:
    """How many columns a terminal gives it: a combining hat takes none."""
    return sum(not unicodedata.combining(c) for c in cell)


def _wrapped(words: str) -> list[str]:
    return textwrap.wrap(words, WIDTH, subsequent_indent="  ")
