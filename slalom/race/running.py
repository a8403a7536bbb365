"""A race that is under way, read from its directory by another process: lanes as far as they have come, nothing locked."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from slalom.core.errors import StoreError
from slalom.race.heat import CURVES, HeatRecord, PlannedLane, epoch_loss
from slalom.race.leaderboard import Leaderboard
from slalom.race.outcome import Curves, RaceResult
from slalom.race.plan import Plan
from slalom.race.results import LaneResult
from slalom.race.runner import journal_seconds
from slalom.race.store import Store


@dataclass(frozen=True)
class Progress:
    """How far a race is: the epoch of the heat under way, lanes that are done (finished or retired), planned, retired."""

    epoch: int
    epochs: int
    done: int
    lanes: int
    retired: int
    ended: bool


class RunningRace(RaceResult):
    """A race as far as its directory tells: what `RaceResult` is, without test figures of what has not ended.

    A lane that still trains has the status "unfinished"; `leaderboard()` ranks by validation as it stands, so its rows have no
    test figures, and differences are of the validation metric.
    """

    def __init__(self, plan: Plan, store: Store, heats: Sequence[HeatRecord], lines: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(plan, store.environment(), heats, store.notes(), store, journal_seconds([dict(x) for x in lines]))
        self.progress = progress(plan, lines, self.lanes)
        self.findings: dict[int, Any] = {}  # none is looked for while lanes train

    def curves(self) -> Curves:
        """As `RaceResult.curves`, cut after the last step that any lane has run."""
        made = super().curves()
        epochs = max((heat.epoch for heat in self._heats), default=0)
        ends = {k: epochs if k.startswith("val") else epochs * made.steps_per_epoch for k in CURVES}
        return Curves(**{k: getattr(made, k)[:, : ends[k]] for k in CURVES}, steps_per_epoch=made.steps_per_epoch)

    def seconds(self) -> Any:
        """As `RaceResult.seconds`, for the epochs that some lane has run."""
        return super().seconds()[:, : max((heat.epoch for heat in self._heats), default=0)]

    def leaderboard(self) -> Leaderboard:
        """Each rule at its best learning rate so far, by validation."""
        lanes = [_as_if_done(lane) for lane in self.lanes]
        samples = (self.data["val"], self.data["val"]) if self._plan.counts else None
        return Leaderboard(lanes, self.metric, self.higher_is_better, samples).untested()


def running(directory: str | os.PathLike[str]) -> RunningRace | None:
    """The race in a directory as it stands; None where it has ended (`slalom.load` reads it then).

    Reads plan, journal and curves alone, no checkpoint and no weights. Errors: `StoreError` for what is no run directory.
    """
    store = Store(directory)
    plan, lines = store.plan(), store.journal()
    if any(line["event"] == "race_done" for line in lines):
        return None
    planned = _planned(plan, lines)
    retired = {line["lane"]: line for line in lines if line["event"] == "lane_retired"}
    rows = {line["heat"]: line["lanes"] for line in lines if line["event"] == "epoch_done"}
    heats: list[HeatRecord] = []
    for number in sorted(rows):
        finished = store.read_heat(number)
        heats.append(finished or _under_way(store, plan, number, [planned[k] for k in rows[number]], retired))
    return RunningRace(plan, store, heats, lines)


def progress(plan: Plan, lines: Sequence[Mapping[str, Any]], lanes: Sequence[LaneResult]) -> Progress:
    """How far the race is, from its journal."""
    epochs = [line for line in lines if line["event"] == "epoch_done"]
    count = sum(len(line["lanes"]) for line in lines if line["event"] == "lanes_added")
    first = sum(len(rule.lrs) for rule in plan.rules) * len(plan.seeds)  # told of with the first epoch
    retired = sum(line["event"] == "lane_retired" for line in lines)
    ended = any(line["event"] == "race_done" for line in lines)
    done = sum(lane.status in ("finished", "retired") for lane in lanes)
    return Progress(epochs[-1]["epoch"] if epochs else 0, plan.epochs, done, max(count, first), retired, ended)


def _planned(plan: Plan, lines: Sequence[Mapping[str, Any]]) -> dict[int, PlannedLane]:
    """Every lane that was told of, by its number: those of a rule are its learning rates, each over all seeds."""
    index = {rule.label: k for k, rule in enumerate(plan.rules)}
    made = {}
    for line in lines:
        if line["event"] == "lanes_added":
            pairs = [(lr, seed) for lr in line["lrs"] for seed in plan.seeds]
            for number, (lr, seed) in zip(line["lanes"], pairs, strict=True):
                made[number] = PlannedLane(number, index[line["rule"]], lr, seed)
    return made


def _under_way(
    store: Store, plan: Plan, number: int, lanes: list[PlannedLane], retired: Mapping[int, Mapping[str, Any]]
) -> HeatRecord:
    curves = store.read_curves(number)
    if any(len(curves[k]) != len(lanes) for k in CURVES):
        raise StoreError(f"the curves of heat {number} in {store.path} are not of its {len(lanes)} lanes")
    ran = np.flatnonzero(~np.isnan(curves["train_loss"]).all(0))
    epoch = min(plan.epochs, int(ran[-1] + 1) // plan.steps_per_epoch) if len(ran) else 0
    record = HeatRecord(number, lanes, epoch, curves)
    train = epoch_loss(record, plan) if epoch else np.full(len(lanes), math.nan)
    nan = math.nan
    for i, p in enumerate(lanes):
        out, rule = retired.get(p.number), plan.rules[p.rule]
        told = np.flatnonzero(~np.isnan(curves["val_loss"][i]))  # early stopping ends a lane's curve before the others'
        val_loss, val_metric = (
            float(curves[k][i, told[-1] if len(told) and not out else epoch - 1]) if epoch else nan
            for k in ("val_loss", "val_metric")
        )
        record.results.append(LaneResult(
            p.number, rule.label, p.lr, p.seed, "retired" if out else "unfinished", float(train[i]), val_loss, val_metric,
            nan, nan, int(out["last_finite_step"]) if out else epoch * plan.steps_per_epoch, int(out["step"]) if out else None,
            int(out["last_finite_step"]) if out else None, str(out["reason"]) if out else "",
            hypers=rule.hypers, variant=rule.variant,
        ))  # fmt: skip
    return record


def _as_if_done(lane: LaneResult) -> LaneResult:
    """A lane with its validation figures where the leaderboard looks for those of the test part."""
    status = "finished" if lane.status == "unfinished" else lane.status
    return replace(lane, status=status, test_loss=lane.val_loss, test_metric=lane.val_metric)
