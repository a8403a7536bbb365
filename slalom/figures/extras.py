"""What a race's page shows where there is something to show: its clock, its schedule, a range test beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from slalom.core.errors import BadValueError
from slalom.figures.records import Clock, RangeFigure, ScheduleFigure
from slalom.schedules import Plateau, resolve

SAMPLES = 240  # of a schedule


def build_clock(result: Any, epochs: Sequence[int]) -> Clock | None:
    """The clock of each heat at these epochs (from 1); None where the race does not tell, or nothing took any time."""
    told = getattr(result, "seconds", None)
    if told is None:
        return None
    every = np.asarray(told(), dtype=np.float64)[:, [e - 1 for e in epochs]]
    if not every.size or not np.isfinite(every).any():
        return None
    rows, of = np.unique(np.nan_to_num(every, nan=-1.0), axis=0, return_inverse=True)
    heats = tuple(tuple(float(v) if v >= 0 else math.nan for v in row) for row in rows)
    return Clock(heats, tuple(int(k) for k in np.ravel(of)))


def build_schedule(plan: Mapping[str, Any], total: int, per_epoch: int) -> ScheduleFigure | None:
    """The plan's schedule over the race; None where it has none, or one that is no formula of the step."""
    spec = plan.get("schedule")
    if not isinstance(spec, str) or not total or "schedule" in plan.get("callables", ()):
        return None  # of a function the plan keeps the name alone
    made = resolve(spec, total, per_epoch)
    if isinstance(made, Plateau):
        return None
    steps = sorted({round(k) for k in np.linspace(0, total - 1, min(total, SAMPLES))})
    momentum = tuple(float(made.momentum(k)) for k in steps) if made.cycles_momentum else None
    return ScheduleFigure(spec, made.formula, tuple(steps), tuple(float(made(k)) for k in steps), momentum)


def build_range_test(result: Any) -> RangeFigure:
    """The figure of a `RangeResult`, or of the dict that its `to_dict` makes (`slalom range --json`).

    Errors: `BadValueError` for anything else.
    """
    told = result if isinstance(result, Mapping) else result.to_dict() if hasattr(result, "to_dict") else None
    if told is None or not {"curve", "phases", "suggestion", "initial_loss"} <= told.keys():
        raise BadValueError(
            "range_test must be what slalom.range_test returns, or the JSON of `slalom range --json`, got "
            f"{type(result).__name__}"
        )
    curve = told["curve"]

    def column(name: str) -> tuple[float, ...]:
        return tuple(math.inf if point[name] is None else float(point[name]) for point in curve)

    interval = told.get("interval")
    return RangeFigure(
        optimizer=str(told.get("optimizer", "")),
        method=str(told.get("method", "")),
        by=str(told.get("by", "loss")),
        initial_loss=math.nan if told["initial_loss"] is None else float(told["initial_loss"]),
        lrs=column("lr"),
        loss=column("loss"),
        low=column("low"),
        high=column("high"),
        slow_below=told["phases"]["slow_below"],
        diverging_from=told["phases"]["diverging_from"],
        suggestion=told["suggestion"],
        interval=None if interval is None else (float(interval[0]), float(interval[1])),
        suggestions=dict(told.get("suggestions", {})),
        advice=str(told.get("advice", "")),
    )
