"""A curve over learning rates drawn with characters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from slalom.race.range.curve import DIVERGING, TOO_SLOW

MARKS = {TOO_SLOW: "·", DIVERGING: "x"}
ASCII_MARKS = {TOO_SLOW: ".", DIVERGING: "x"}
FEW = 0.5  # of the longest look's steps: a useful rate that was trained for fewer has not shown how far it gets


class Charted(Protocol):
    """A point of a chart."""

    @property
    def lr(self) -> float: ...
    @property
    def loss(self) -> float: ...
    @property
    def phase(self) -> str: ...
    @property
    def steps(self) -> int: ...


def rate(lr: float) -> str:
    """A learning rate with three significant digits.

    >>> rate(0.00177827941), rate(0.1)
    ('0.00178', '0.1')
    """
    return f"{lr:.3g}"


def chart(
    points: Sequence[Charted], suggestion: float | None, initial: float, by: str, width: int, height: int, ascii_only: bool
) -> list[str]:
    """Lines of text: the measure over log lr, the phases by their marks, the suggestion as a column of its own.

    What lies above the loss before training by half the drop is drawn at the top edge. A rate set aside early is drawn where it
    stood then.
    """
    marks = ASCII_MARKS if ascii_only else MARKS
    useful, short, column, bar = ("*", "o", "|", "|") if ascii_only else ("●", "○", "┊", "│")
    finite = [p.loss for p in points if math.isfinite(p.loss)]
    if not points or not finite:
        return ["no finite loss to draw"]
    low = min(finite)
    high = max(min(max(finite), initial + 0.5 * (initial - low)) if math.isfinite(initial) else max(finite), low + 1e-12)
    left, right = math.log10(points[0].lr), math.log10(points[-1].lr)

    def across(lr: float) -> int:
        share = (math.log10(lr) - left) / (right - left) if right > left else 0.5
        return min(max(round(share * (width - 1)), 0), width - 1)

    rows = [[" "] * width for _ in range(height)]
    if suggestion is not None:
        for row in rows:
            row[across(suggestion)] = column
    for p in points:
        share = 1.0 if not math.isfinite(p.loss) else min(max((p.loss - low) / (high - low), 0.0), 1.0)
        brief = p.steps < FEW * max(other.steps for other in points)
        rows[height - 1 - round(share * (height - 1))][across(p.lr)] = marks.get(p.phase, short if brief else useful)
    labels = {0: f"{high:.4g}", height - 1: f"{low:.4g}"}
    pad = max(len(text) for text in labels.values())
    drawn = [f"{labels.get(i, ''):>{pad}} {bar}{''.join(row).rstrip()}" for i, row in enumerate(rows)]
    ends = f"{rate(points[0].lr)}{rate(points[-1].lr):>{width - len(rate(points[0].lr))}}"
    few = f" ({short} after few steps)" if any(short in row for row in rows) else ""
    kinds = f"{marks[TOO_SLOW]} too slow  {useful} useful{few}  {marks[DIVERGING]} diverging  {column} suggestion"
    key = f"{by} over learning rate: {kinds}"
    return [*drawn, f"{'':>{pad}}  {ends}", f"{'':>{pad}}  {key}"]
