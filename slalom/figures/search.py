"""A search as a record of plain data: history, importance, slices, parallel coordinates and a contour of two hypers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from slalom.tune.result import TuneResult

CELLS = 28  # of the contour, a side
TREES = 60
LEAST = 12  # trials below which no surface is drawn


@dataclass(frozen=True)
class Axis:
    """A parameter: its scale, ends or choices, and its share of the variance with its spread (None where unknown)."""

    name: str
    scale: str
    low: float | None
    high: float | None
    choices: list[Any]
    importance: float | None = None
    spread: float | None = None


@dataclass(frozen=True)
class Point:
    """A trial: `places`, from 0 to 1 on each axis (None where not in use); `values`, what they are."""

    number: int
    state: str
    epoch: int
    loss: float
    metric: float
    places: list[float | None]
    values: list[Any]
    enqueued: bool = False


@dataclass(frozen=True)
class Contour:
    """The loss that a forest expects over the two axes, others averaged: `loss [CELLS][CELLS]`, rows along the second axis."""

    first: int
    second: int
    loss: list[list[float]]


@dataclass(frozen=True)
class SearchFigure:
    """Everything that a search's page shows. `epoch`: what importance was worked out at."""

    title: str
    verdict: str
    facts: list[tuple[str, str]]
    metric: str
    axes: list[Axis]
    points: list[Point]
    best: int | None
    epoch: int
    warnings: list[str]
    notes: list[str]
    contour: Contour | None = None
    config: dict[str, Any] = field(default_factory=dict)


def build_search(result: TuneResult) -> SearchFigure:
    """The record of a result."""
    from slalom.tune.history import shown

    space, plan = result.history.space, result.plan
    importance = result.importance
    axes = [
        Axis(
            name, p.scale, getattr(p, "low", None), getattr(p, "high", None), list(getattr(p, "choices", [])),
            importance.mean.get(name), importance.sd.get(name),
        )
        for name, p in space.params.items()
    ]  # fmt: skip
    points = [
        Point(
            t.number, t.state, t.epoch, t.loss, t.metric,
            [p.unit(t.config[name]) if name in t.config else None for name, p in space.params.items()],
            [t.config.get(name) for name in space.params], t.enqueued,
        )
        for t in result.trials if t.epoch
    ]  # fmt: skip
    ranking = result.ranking()
    best = result.best if ranking else None
    verdict = "no trial has come to a rung yet"
    if best is not None:
        verdict = f"Trial {best.number} leads: {shown(space.varying(best.config))}"
    budget = result._plan.budget
    facts = [
        ("model", plan["model_name"]), ("data", plan["data"]["name"]), ("method", f"{plan['method']} ({plan['why']})"),
        ("budget", str(budget)), ("trials", str(len(result.trials))), ("time", f"{result.history.seconds:.1f} s"),
        ("validation", str(result.validation)), ("test", str(result.test)),
    ]  # fmt: skip
    if result.optimism is not None:
        facts.append(("optimism", str(result.optimism)))
    return SearchFigure(
        f"{plan['model_name']} on {plan['data']['name']}", verdict, facts, plan["metric"], axes, points,
        None if best is None else best.number, importance.epoch, result.warnings, result.notes,
        _contour(result), {} if best is None else dict(best.config),
    )  # fmt: skip


def _contour(result: TuneResult) -> Contour | None:
    """Of the two most important numbers, at the epoch that importance was worked out at."""
    from sklearn.ensemble import RandomForestRegressor

    names = list(result.history.space.params)
    numbers = [n for n in result.importance if result.history.space[n].scale != "choice"][:2]
    epoch = result.importance.epoch
    rows = [
        ([p.unit(t.config[n]) if n in t.config else 0.5 for n, p in result.history.space.params.items()], {e: x for e, x, _ in
        t.rungs}[epoch]) for t in result.trials if epoch in {e for e, _, _ in t.rungs}
    ]  # fmt: skip
    rows = [(x, y) for x, y in rows if np.isfinite(y)]
    if len(numbers) < 2 or len(rows) < LEAST:
        return None
    x, y = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    forest = RandomForestRegressor(TREES, min_samples_leaf=2, random_state=0).fit(x, np.minimum(y, np.quantile(y, 0.9)))
    at = [names.index(n) for n in numbers]
    ticks = (np.arange(CELLS) + 0.5) / CELLS
    others = x[:: max(1, len(x) // 24)][:24]
    grid = np.empty((CELLS, CELLS))
    for i, v in enumerate(ticks):
        block = np.repeat(others, CELLS, axis=0)
        block[:, at[0]], block[:, at[1]] = np.tile(ticks, len(others)), v
        grid[i] = forest.predict(block).reshape(len(others), CELLS).mean(0)
    return Contour(at[0], at[1], [[float(f"{v:.4g}") for v in row] for row in grid])
