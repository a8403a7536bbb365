"""A race's result as a figure: the numbers a page shows, taken out of the result once, ready to draw."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

import numpy as np

from slalom.core.errors import BadDataError
from slalom.figures.extras import build_clock, build_range_test, build_schedule
from slalom.figures.findings import build_findings
from slalom.figures.heat_map import build_heat_maps
from slalom.figures.records import Array, CurveSet, LaneTable, LrResponse, RaceFigure, RetiredLane
from slalom.figures.words import verdict_of
from slalom.race.compare.reading import ComparedRow
from slalom.race.results import LeaderRow

ROOM = 66_000  # samples of curves that a page of 400 KB has room for; a lane's row in the tables takes that of some more
ROW = 30
FEWEST_POINTS, MOST_POINTS, MOST_EPOCHS = 60, 1000, 200  # a curve
MOST_ITEMS = 60  # of a list in the plan or the environment


class CurvesLike(Protocol):
    """Arrays `[lanes, steps]` and `[lanes, epochs]`, float32, NaN where a lane did not run."""

    @property
    def train_loss(self) -> Any: ...
    @property
    def val_loss(self) -> Any: ...
    @property
    def val_metric(self) -> Any: ...
    @property
    def steps_per_epoch(self) -> int: ...


class RaceLike(Protocol):
    """What `build_race` reads of a race's result. Lanes are `LaneResult`s, leaderboard rows `LeaderRow`s, best first."""

    @property
    def plan(self) -> Mapping[str, Any]: ...
    @property
    def environment(self) -> Mapping[str, Any]: ...
    @property
    def data(self) -> Mapping[str, Any]: ...
    @property
    def lanes(self) -> Sequence[Any]: ...
    @property
    def metric(self) -> str: ...
    @property
    def higher_is_better(self) -> bool: ...
    @property
    def notes(self) -> Sequence[str]: ...
    def curves(self) -> CurvesLike: ...
    def leaderboard(self) -> Iterable[Any]: ...


def build_race(result: RaceLike, range_test: Any = None) -> RaceFigure:
    """The figure of a race, with a `RangeResult` beside it where one is given.

    `result.seconds()` and `result.findings`, where there are such, are shown too. Errors: `BadDataError` where the curves do
    not have one row a lane. The result is read, never changed.
    """
    rows = tuple(_row(row) for row in result.leaderboard())
    rules = tuple(dict.fromkeys(str(lane.rule) for lane in result.lanes))
    data, environment = plain(dict(result.data)), plain(dict(result.environment))
    curves = _curves(result)
    losses = np.asarray(result.curves().train_loss)
    seeds = len({int(lane.seed) for lane in result.lanes})
    plan = {key: value for key, value in result.plan.items() if key != "data"}  # `data` holds the same
    model, name = str(plan.get("model_name") or plan.get("model") or "model"), str(data.get("name", "data"))
    return RaceFigure(
        title=f"{plan.get('compare') or count_of(len(rules))} on {name}",
        verdict=verdict_of(result),
        when=_when(environment),
        model=model,
        metric=str(result.metric),
        higher_is_better=bool(result.higher_is_better),
        epochs=curves.val_epochs[-1] if curves.val_epochs else 0,
        seeds=seeds,
        rules=rules,
        leaderboard=rows,
        lanes=_lanes(result, rules, rows),
        curves=curves,
        responses=tuple(_response(rule, result.lanes, rows) for rule in rules),
        retired=tuple(_retired(lane) for lane in result.lanes if lane.status == "retired"),
        plan=plain(plan),
        data=data,
        environment=environment,
        notes=tuple(str(note) for note in result.notes),
        heat_maps=build_heat_maps(rules, result.lanes),
        findings=build_findings(result, rules, rows, losses),
        clock=build_clock(result, curves.val_epochs),
        schedule=build_schedule(result.plan, losses.shape[1], curves.steps_per_epoch),
        range_test=None if range_test is None else build_range_test(range_test),
        comparison=_comparison(result),
    )


def count_of(rules: int) -> str:
    """How many rules, in words."""
    return f"{rules} {'rule' if rules == 1 else 'rules'}"


def _comparison(result: Any) -> tuple[ComparedRow, ...] | None:
    """The rows of a race that compares methods, once every lane of it has ended."""
    if not result.plan.get("compare") or any(lane.status == "unfinished" for lane in result.lanes) or not result.lanes:
        return None
    return tuple(result.comparison())


def plain(value: Any, most: int = MOST_ITEMS) -> Any:
    """`value` as strings, numbers, lists and dicts; a list longer than `most` is cut and says how many it left out.

    >>> plain({"lrs": (1e-3, np.float32(0.5)), "seeds": range(100)}, most=2)
    {'lrs': [0.001, 0.5], 'seeds': [0, 1, '… 98 more']}
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item, most) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist(), most)
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        items = list(value)
        return [plain(item, most) for item in items[:most]] + ([f"… {len(items) - most} more"] if items[most:] else [])
    return str(value)


def keep(count: int, points: int) -> tuple[np.ndarray[Any, np.dtype[np.intp]], int]:
    """Which of `count` samples to keep so that at most `points` are, spread evenly, the first and the last among them; and one in
    how many that is.

    >>> keep(10, 4)[0].tolist(), keep(3, 4)[0].tolist()
    ([0, 3, 6, 9], [0, 1, 2])
    """
    kept = np.unique(np.linspace(0, max(count - 1, 0), min(count, max(points, 2))).round().astype(np.intp))
    return kept, math.ceil(count / max(len(kept), 1)) if count else 1


def points_for(lanes: int, epochs: int) -> int:
    """How many training losses of each lane there is room for, beside two curves of so many epochs.

    >>> points_for(3, 20), points_for(297, 20), points_for(441, 20), points_for(1000, 20)
    (1000, 152, 79, 60)
    """
    return min(max(ROOM // max(lanes, 1) - ROW - 2 * epochs, FEWEST_POINTS), MOST_POINTS)


def _curves(result: RaceLike) -> CurveSet:
    curves, lanes = result.curves(), len(result.lanes)
    arrays: dict[str, Array] = {}
    for name in ("train_loss", "val_loss", "val_metric"):
        array = np.asarray(getattr(curves, name), dtype=np.float32)
        if array.ndim != 2 or len(array) != lanes:
            raise BadDataError(
                f"race figure: curves.{name} must be [lanes, points] with {lanes} lanes, got shape {array.shape}; "
                "give each lane of result.lanes one row, NaN where it did not run"
            )
        arrays[name] = array
    val, val_stride = keep(arrays["val_loss"].shape[1], MOST_EPOCHS if lanes <= MOST_POINTS else FEWEST_POINTS)
    train, train_stride = keep(arrays["train_loss"].shape[1], points_for(lanes, len(val)))
    return CurveSet(
        train_steps=tuple(int(i) + 1 for i in train),
        train_loss=arrays["train_loss"][:, train],
        val_epochs=tuple(int(i) + 1 for i in val),
        val_loss=arrays["val_loss"][:, val],
        val_metric=arrays["val_metric"][:, val],
        steps_per_epoch=int(curves.steps_per_epoch),
        train_stride=train_stride,
        val_stride=val_stride,
    )


def _when(environment: Mapping[str, Any]) -> str:
    """The date of the race, "2026-11-21 12:32 UTC"; as it was given where it is no ISO date, empty where there is none."""
    given = str(next((environment[key] for key in ("started", "date", "time", "when") if environment.get(key)), ""))
    try:
        date = datetime.datetime.fromisoformat(given)
    except ValueError:
        return given
    return f"{date:%Y-%m-%d %H:%M}" if date.tzinfo is None else f"{date.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC"


def _row(row: Any) -> LeaderRow:
    """The race's row as this figure's own record, so that a later change over there does not reach the page."""
    kinds = {"int": int, "float": float, "str": str, "bool": bool}
    return LeaderRow(**{field.name: kinds[str(field.type)](getattr(row, field.name)) for field in fields(LeaderRow)})


def _lanes(result: RaceLike, rules: Sequence[str], rows: Sequence[LeaderRow]) -> LaneTable:
    lanes, best, index = result.lanes, {row.rule: row.lr for row in rows}, {rule: i for i, rule in enumerate(rules)}

    def column(name: str) -> tuple[float, ...]:
        return tuple(float(getattr(lane, name)) for lane in lanes)

    return LaneTable(
        lane=tuple(int(lane.lane) for lane in lanes),
        rule=tuple(index[str(lane.rule)] for lane in lanes),
        lr=column("lr"),
        seed=tuple(int(lane.seed) for lane in lanes),
        status=tuple(str(lane.status) for lane in lanes),
        best=tuple(best.get(str(lane.rule)) == float(lane.lr) for lane in lanes),
        train_loss=column("train_loss"),
        val_loss=column("val_loss"),
        val_metric=column("val_metric"),
        test_loss=column("test_loss"),
        test_metric=column("test_metric"),
    )


def _response(rule: str, lanes: Sequence[Any], rows: Sequence[LeaderRow]) -> LrResponse:
    mine = [lane for lane in lanes if str(lane.rule) == rule]
    lrs = sorted({float(lane.lr) for lane in mine})
    found = [[float(lane.val_metric) for lane in mine if lane.lr == lr and lane.status == "finished"] for lr in lrs]
    found = [[value for value in values if math.isfinite(value)] for values in found]
    row = next((row for row in rows if row.rule == rule and any(found)), None)
    return LrResponse(
        rule=rule,
        lrs=tuple(lrs),
        mean=tuple(float(np.mean(values)) if values else math.nan for values in found),
        sd=tuple(float(np.std(values, ddof=1)) if len(values) > 1 else math.nan for values in found),
        finished=tuple(len(values) for values in found),
        retired=tuple(sum(lane.lr == lr and lane.status == "retired" for lane in mine) for lr in lrs),
        lr=row.lr if row else None,
        lr_low=row.lr_low if row else None,
        lr_high=row.lr_high if row else None,
        at_edge=bool(row and row.at_edge),
    )


def _retired(lane: Any) -> RetiredLane:
    return RetiredLane(
        lane=int(lane.lane),
        rule=str(lane.rule),
        lr=float(lane.lr),
        seed=int(lane.seed),
        step=lane.retired_step,
        last_finite_step=lane.last_finite_step,
        reason=str(lane.reason),
    )
