"""The records that a race's figure is made of: plain data, no drawing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slalom.figures.findings import FindingLine
from slalom.figures.heat_map import HeatMap
from slalom.race.compare.reading import ComparedRow
from slalom.race.results import LeaderRow

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LaneTable:
    """Every lane, column by column; entry k of each column is row k of the curves. `rule` indexes `RaceFigure.rules`."""

    lane: tuple[int, ...]
    rule: tuple[int, ...]
    lr: tuple[float, ...]
    seed: tuple[int, ...]
    status: tuple[str, ...]
    best: tuple[bool, ...]  # at its rule's best learning rate
    train_loss: tuple[float, ...]
    val_loss: tuple[float, ...]
    val_metric: tuple[float, ...]
    test_loss: tuple[float, ...]
    test_metric: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.lane)


@dataclass(frozen=True)
class CurveSet:
    """The curves of all lanes, thinned alike; NaN where a lane did not run.

    `train_loss[k, j]` is lane k's loss at step `train_steps[j]`; `val_loss[k, j]` and `val_metric[k, j]` are after
    epoch `val_epochs[j]`; steps and epochs count from 1. `train_stride`, `val_stride`: one in how many was kept (the
    last always is). Values are kept as they are, never averaged, so a spike between two kept steps is not shown.
    """

    train_steps: tuple[int, ...]
    train_loss: Array
    val_epochs: tuple[int, ...]
    val_loss: Array
    val_metric: Array
    steps_per_epoch: int
    train_stride: int = 1
    val_stride: int = 1


@dataclass(frozen=True)
class LrResponse:
    """How a rule answers to its learning rate: validation metric per lr, over the seeds that finished.

    `mean`, `sd`: NaN where no seed finished; `sd` is also NaN where one did. `finished`, `retired`: counts of seeds.
    `lr`, `lr_low`, `lr_high`, `at_edge`: the leaderboard's choice and its interval; None where no lane of the rule finished.
    """

    rule: str
    lrs: tuple[float, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    finished: tuple[int, ...]
    retired: tuple[int, ...]
    lr: float | None
    lr_low: float | None
    lr_high: float | None
    at_edge: bool


@dataclass(frozen=True)
class RetiredLane:
    """A lane that stopped because it turned non-finite: at which step (from 1), and why."""

    lane: int
    rule: str
    lr: float
    seed: int
    step: int | None
    last_finite_step: int | None
    reason: str


@dataclass(frozen=True)
class Clock:
    """Wall-clock seconds since a heat's start, at the end of each of `CurveSet.val_epochs`.

    `heats`: a row a heat; its lanes train side by side, so they share it. `lanes`: each lane's row.
    """

    heats: tuple[tuple[float, ...], ...]
    lanes: tuple[int, ...]


@dataclass(frozen=True)
class ScheduleFigure:
    """The race's schedule: the factor on the learning rate at `steps` (from 0); `momentum` where it moves that too."""

    spec: str
    formula: str
    steps: tuple[int, ...]
    factor: tuple[float, ...]
    momentum: tuple[float, ...] | None


@dataclass(frozen=True)
class RangeFigure:
    """A range test: losses (infinite where a run diverged) over rates, phases, what is suggested; see `slalom.range_test`."""

    optimizer: str
    method: str
    by: str
    initial_loss: float
    lrs: tuple[float, ...]
    loss: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    slow_below: float | None
    diverging_from: float | None
    suggestion: float | None
    interval: tuple[float, float] | None
    suggestions: Mapping[str, float | None]
    advice: str


@dataclass(frozen=True)
class RaceFigure:
    """All that a page says about a race. `rules` is in order of first appearance; colours follow it."""

    title: str
    verdict: str
    when: str
    model: str
    metric: str
    higher_is_better: bool
    epochs: int
    seeds: int
    rules: tuple[str, ...]
    leaderboard: tuple[LeaderRow, ...]
    lanes: LaneTable
    curves: CurveSet
    responses: tuple[LrResponse, ...]
    retired: tuple[RetiredLane, ...]
    plan: Mapping[str, Any]
    data: Mapping[str, Any]
    environment: Mapping[str, Any]
    notes: tuple[str, ...]
    heat_maps: tuple[HeatMap, ...] = ()
    findings: tuple[FindingLine, ...] = ()
    clock: Clock | None = None
    schedule: ScheduleFigure | None = None
    range_test: RangeFigure | None = None
    comparison: tuple[ComparedRow, ...] | None = None  # of a race that compares methods
