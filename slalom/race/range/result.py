"""What a range test found: plain data, a chart in text, a line of advice."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slalom.core.errors import SlalomError
from slalom.race import hooks
from slalom.race.range.chart import chart, rate
from slalom.race.range.curve import Phases


@dataclass(frozen=True)
class Point:
    """A rate of the curve: `loss` (median over seeds, infinite where a run diverged), its least and largest over seeds, after
    `steps` steps of `seeds` seeds; `phase`: "too slow", "useful" or "diverging", judged for as many steps as the longest had:
    a rate set aside early can be useful though its loss has hardly fallen.
    """

    lr: float
    loss: float
    low: float
    high: float
    steps: int
    seeds: int
    phase: str


@dataclass(frozen=True)
class RangeResult:
    """A range test's outcome.

    `suggestion`: the learning rate to train with, or None where no rate lowered the loss. `interval`: in which the best rate of
    the grid lay in at least 90 % of the design runs, or None (one-pass methods know none). `phases`, `curve`: of what was seen,
    rates ascending. `suggestions`: every rule's, by name. `advice`: one line in words. `cost`: training steps, over all runs.
    `notes`: what the person should know.
    """

    method: str
    optimizer: str
    suggestion: float | None
    interval: tuple[float, float] | None
    phases: Phases
    curve: list[Point]
    suggestions: dict[str, float | None]
    advice: str
    initial_loss: float
    cost: int
    by: str = "loss"
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int = 72, height: int = 12, ascii_only: bool = False) -> str:
        """The result for a terminal: a chart of the curve, what is suggested, the advice, the notes."""
        title = f"range test of {self.optimizer}, {self.method}: {self.cost} training steps"
        lines = [title, "", *chart(self.curve, self.suggestion, self.initial_loss, self.by, width, height, ascii_only), ""]
        if self.suggestion is not None:
            span = "" if self.interval is None else f"   (90 %: {rate(self.interval[0])} to {rate(self.interval[1])})"
            lines.append(f"suggestion  lr = {rate(self.suggestion)}{span}")
        others = {k: v for k, v in self.suggestions.items() if v != self.suggestion or len(self.suggestions) > 1}
        if others:
            lines.append("by rule     " + ", ".join(f"{k} {'none' if v is None else rate(v)}" for k, v in others.items()))
        lines.append("phases      " + self._phases())
        lines += ["", self.advice, *(f"note: {note}" for note in self.notes)]
        return "\n".join(lines)

    def _phases(self) -> str:
        slow, bad = self.phases.slow_below, self.phases.diverging_from
        parts = [f"too slow below {rate(slow)}" if slow is not None else "none too slow"]
        parts.append(f"diverging from {rate(bad)}" if bad is not None else "none diverging")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds: what is not finite is None."""
        made: dict[str, Any] = _plain(dataclasses.asdict(self))
        return made

    def report(self, path: Any) -> Any:
        """Write the page: one self-contained HTML file. With a race in one page: `slalom.report(race, range_test, path=...)`."""
        if hooks.report is None:
            raise SlalomError("the page is written by slalom.report; import slalom first")
        hooks.report(self, path)
        return Path(path)

    def plot(self, path: Any = None) -> Any:
        """The curve as a matplotlib figure, written to `path` where one is given; needs `pip install 'slalom[plot]'`."""
        from slalom.race.range.plot import plot

        return plot(self, path)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def points(
    lrs: Sequence[float], losses: Sequence[Sequence[float]], steps: Sequence[int], middle: Sequence[float], phases: Phases
) -> list[Point]:
    """A curve: per rate the losses of its seeds, its steps, and the value to show."""
    return [
        Point(float(lr), float(m), float(min(own)), float(max(own)), int(n), len(own), phases.of(float(lr)))
        for lr, own, n, m in zip(lrs, losses, steps, middle, strict=True)
    ]
