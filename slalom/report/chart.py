"""A chart of losses as plain SVG numbers: what a template draws without a script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from slalom.figures.doctor import DoctorFigure, Line

WIDTH, HEIGHT = 860, 320
SMALL = (300, 100)
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 10, 34
RATIO = 8.0  # of the largest to the smallest loss: from it on, the axis is logarithmic


@dataclass(frozen=True)
class Drawn:
    """A line's name, kind, and path; a branch's are numbered."""

    name: str
    kind: str
    path: str


@dataclass(frozen=True)
class Chart:
    """`ticks_x`, `ticks_y`: (place, text). `log`: whether the losses' axis is logarithmic. `mark`: where a step is pointed at."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    lines: tuple[Drawn, ...]
    ticks_x: tuple[tuple[float, str], ...]
    ticks_y: tuple[tuple[float, str], ...]
    log: bool
    mark: float | None = None


def chart(lines: Sequence[Line], size: tuple[int, int] = (WIDTH, HEIGHT), at: float | None = None) -> Chart | None:
    """Lines of losses over steps, with step `at` marked; None where there is nothing to draw."""
    losses = [v for line in lines for v in line.losses]
    steps = [s for line in lines for s in line.steps]
    if not losses or max(steps) <= 0:
        return None
    low, high = min(losses), max(losses)
    log = low > 0 and high / low >= RATIO
    turn = math.log10 if log else float
    a, b = turn(low), turn(high)
    a, b = (a, b) if b > a else (a - 0.5, b + 0.5)
    wide, tall, last = size[0] - LEFT - RIGHT, size[1] - TOP - BOTTOM, max(steps)

    def x(step: float) -> float:
        return LEFT + wide * step / last

    def y(value: float) -> float:
        return TOP + tall * (b - value) / (b - a)

    drawn = tuple(
        Drawn(line.name, line.kind, _path([(x(s), y(turn(v))) for s, v in zip(line.steps, line.losses, strict=True)]))
        for line in lines
    )
    across = tuple((x(s), f"{s:g}") for s in _steps(0.0, last, max(2, wide // 110)))
    up = tuple((y(m), _loss(10**m if log else m)) for m in (_decades(a, b) if log else _steps(a, b, max(2, tall // 46))))
    if len(up) > max(2, tall // 30):
        up = (up[0], up[-1])
    mark = None if at is None else x(min(max(at, 0.0), last))
    return Chart(size[0], size[1], LEFT, size[0] - RIGHT, TOP, size[1] - BOTTOM, drawn, across, up, log, mark)


def evidence_charts(figure: DoctorFigure) -> list[Chart | None]:
    """A small chart for each finding: the run's own curves, with the step at which it was seen."""
    own = [line for line in figure.lines if line.kind in ("step", "train", "val")]
    return [chart(own, SMALL, finding.step) for finding in figure.findings]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{a:.1f} {b:.1f}" for a, b in points)


def _loss(value: float) -> str:
    """A loss as an axis says it: 0.001, 500, 1e5.

    >>> [_loss(v) for v in (0.001, 500.0, 1e5, 2e-7, 0.30000000000000004)]
    ['0.001', '500', '1e5', '2e-7', '0.3']
    """
    if value and not 1e-3 <= abs(value) < 1e5:
        digits, power = f"{value:.0e}".split("e")
        return f"{digits}e{int(power)}"
    return f"{value:.6g}"


def _steps(low: float, high: float, about: int) -> list[float]:
    """Round numbers from low to high, about so many."""
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    width = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    first = math.ceil(low / width - 1e-9)
    return [width * k for k in range(first, math.floor(high / width + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten between two logarithms, thinned to a few; 2 and 5 times them where there are fewer than two."""
    whole = [float(k) for k in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)]
    if len(whole) >= 2:
        return whole[:: max(1, -(-len(whole) // 7))]
    parts = [k + math.log10(m) for k in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)]
    return [p for p in parts if low <= p <= high]
