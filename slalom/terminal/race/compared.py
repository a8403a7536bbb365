"""A comparison as a table: each method at its best strength against the baseline, and what the table says."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from slalom.terminal import marks

GAP = 2  # blanks between columns
STYLES = {"helps": "green", "hurts": "red", "tie": "yellow", "baseline": "bold"}


def table(comparison: Any, width: int) -> Table:
    """A row a method, the largest gain first; where `width` is too small, whole columns are left out."""
    rows = list(comparison)
    metric = comparison.metric
    columns = {
        "method": [r.method for r in rows],
        "": [r.verdict for r in rows],
        "gain": ["" if r.verdict == "baseline" else f"{_signed(r.gain)} ± {marks.number(r.standard_error)}" for r in rows],
        f"test {metric}": [marks.spread(r.test_metric, r.test_metric_sd) for r in rows],
        "picked on validation": [_picked(r) for r in rows],
        "lr": [marks.rate(r.lr) for r in rows],
    }
    for spared in ("lr", "picked on validation", f"test {metric}"):
        if sum(max(map(len, [title, *cells])) + GAP for title, cells in columns.items()) > width:
            del columns[spared]
    made = Table(box=None, padding=(0, GAP, 0, 0), header_style="dim")
    for name in columns:
        made.add_column(Text(name), no_wrap=name != "method", overflow="fold")
    for row, cells in zip(rows, zip(*columns.values(), strict=True), strict=True):
        style = STYLES.get(row.verdict, "dim")
        made.add_row(*(Text(cell, style if name in ("method", "") else "") for name, cell in zip(columns, cells, strict=True)))
    return made


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else '-' if value < 0 else ''}{marks.number(abs(value))}"


def _picked(row: Any) -> str:
    return f"{row.rule} (of {row.tried})" if row.tried > 1 else row.rule


LEGEND = (
    "Each method is shown at the strength and learning rate that validation picks. gain: mean difference of the test metric from "
    "the baseline's, paired over seeds, ± its standard error; positive is better.",
    "tie: its 95 % interval, shared among the methods, holds 0.",
)
