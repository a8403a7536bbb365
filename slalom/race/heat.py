"""A heat: lanes of one architecture and batch size, trained epoch by epoch, with everything they leave behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slalom.core.errors import StoreError
from slalom.core.rule import Settings
from slalom.data.record import Data
from slalom.engines.lanes import Lane, Lanes, TorchOptimizer
from slalom.engines.lanes.lane import momentum_hyper
from slalom.engines.lanes.lanes import chunk_size
from slalom.engines.lanes.losses import Loss, one_loss
from slalom.race.metrics import Metric, in_units
from slalom.race.order import batches
from slalom.race.plan import Plan
from slalom.race.results import LaneResult
from slalom.schedules import Plateau, PlateauState, Schedule

Array = np.ndarray[Any, np.dtype[np.float32]]
CURVES = ("train_loss", "grad_norm", "val_loss", "val_metric")


@dataclass(frozen=True)
class PlannedLane:
    """A lane of the race before it runs; `number` counts through the whole race."""

    number: int
    rule: int  # index into plan.rules
    lr: float
    seed: int


@dataclass
class HeatRecord:
    """What a heat has produced so far. Curves: `train_loss`, `grad_norm` `[lanes, steps]`, `val_*` `[lanes, epochs]`."""

    number: int
    lanes: list[PlannedLane]
    epoch: int = 0
    curves: dict[str, Array] = field(default_factory=dict)
    results: list[LaneResult] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)  # name -> [lanes, *shape]


def epoch_loss(record: HeatRecord, plan: Plan, epoch: int | None = None) -> Array:
    """Mean training loss `[lanes]` over an epoch (the last unless told, counted from 0), weighted by batch size."""
    e = record.epoch - 1 if epoch is None else epoch
    per, n, b = plan.steps_per_epoch, plan.data["train"], plan.batch_size
    weights = np.full(per, b, dtype=np.float64)
    weights[-1] = n - b * (per - 1)
    # Lane by lane: a matrix product may round a row by how many rows there are.
    part = np.ascontiguousarray(record.curves["train_loss"][:, e * per : (e + 1) * per], dtype=np.float64)
    with np.errstate(over="ignore"):  # a loss beyond float32 is kept as infinite
        return np.asarray((part * weights).sum(1) / n, dtype=np.float32)


def own_schedule(schedule: Schedule | None, optimizer: Settings | TorchOptimizer) -> Callable[[int], float] | None:
    """A lane's own: a plateau's state, and no momentum to set where the optimizer has none."""
    if schedule is not None and schedule.cycles_momentum and momentum_hyper(optimizer) is None:
        schedule = schedule.without_momentum()
    return schedule.start() if isinstance(schedule, Plateau) else schedule


class Heat:
    """Trains the planned lanes; `epoch()` is the unit that a checkpoint holds."""

    def __init__(
        self,
        number: int,
        planned: Sequence[PlannedLane],
        plan: Plan,
        factory: Callable[[], nn.Module],
        data: Data,
        metric: Metric,
        loss: str | Loss,
        schedule: Schedule | None,
    ) -> None:
        self.plan = plan
        self.data = data
        self.record = HeatRecord(number, list(planned))
        self.measures = [one_loss(loss), in_units(metric.measure, data)]
        optimizers = [plan.rules[p.rule].entrant.optimizer(p.lr) for p in planned]
        lanes = [Lane(o, p.seed, own_schedule(schedule, o), plan.clip) for o, p in zip(optimizers, planned, strict=True)]
        example = (data.train.x[: plan.batch_size], data.train.y[: plan.batch_size])
        self.lanes = Lanes(
            factory,
            lanes,
            loss=loss,
            example=example,
            mechanism=plan.mechanism,
            dtype=getattr(torch, plan.dtype),
            chunk=chunk_size(len(lanes), plan.threads),
        )
        n, steps, epochs = len(planned), plan.total_steps, plan.epochs
        shapes = dict(zip(CURVES, ((n, steps), (n, steps), (n, epochs), (n, epochs)), strict=True))
        self.record.curves = {k: np.full(s, np.nan, dtype=np.float32) for k, s in shapes.items()}

    def _order(self) -> list[int]:
        if self.plan.order == "shared":
            return [0] * len(self.record.lanes)
        return [p.seed if self.plan.order == "seed" else p.number for p in self.record.lanes]

    def epoch(self) -> None:
        """One pass over the training part, then validation."""
        e, per = self.record.epoch, self.plan.steps_per_epoch
        index = batches(self._order(), e, len(self.data.train), self.plan.batch_size)
        loss, norm = self.lanes.epoch(self.data.train.x, self.data.train.y, index)
        val = self.lanes.evaluate(self.data.val.x, self.data.val.y, self.measures)
        curves = self.record.curves
        curves["train_loss"][:, e * per : (e + 1) * per] = loss.T
        curves["grad_norm"][:, e * per : (e + 1) * per] = norm.T
        curves["val_loss"][:, e], curves["val_metric"][:, e] = val
        for lane, loss_now in zip(self.lanes.lanes, val[0], strict=True):
            if isinstance(lane.schedule, PlateauState):
                lane.schedule.step(loss_now)
        self.record.epoch += 1

    @property
    def done(self) -> bool:
        """All epochs are run."""
        return self.record.epoch == self.plan.epochs

    def finish(self) -> HeatRecord:
        """Opens the test part, once, and sums up every lane."""
        test = self.lanes.evaluate(self.data.test.x, self.data.test.y, self.measures)
        train, curves, retired = epoch_loss(self.record, self.plan), self.record.curves, self.lanes.retired
        for i, p in enumerate(self.record.lanes):
            out = retired.get(i)
            planned = self.plan.rules[p.rule]
            self.record.results.append(
                LaneResult(
                    lane=p.number,
                    rule=planned.label,
                    lr=p.lr,
                    seed=p.seed,
                    status="retired" if out else "finished",
                    train_loss=float(train[i]),
                    val_loss=float(curves["val_loss"][i, -1]),
                    val_metric=float(curves["val_metric"][i, -1]),
                    test_loss=float(test[0, i]),
                    test_metric=float(test[1, i]),
                    steps=out.last_finite_step if out else self.lanes.t,
                    retired_step=out.step if out else None,
                    last_finite_step=out.last_finite_step if out else None,
                    reason=out.reason if out else "",
                    mechanism=self.lanes.choice.name,
                    hypers=planned.hypers,
                )
            )
        each = [self.lanes.weights(i) for i in range(len(self.lanes))]
        self.record.weights = {k: torch.stack([w[k] for w in each]) for k in each[0]}
        return self.record

    def state_dict(self) -> dict[str, Any]:
        """The heat after its last epoch, to go on from."""
        curves = {k: torch.from_numpy(v) for k, v in self.record.curves.items()}
        planned = [[p.number, p.rule, p.lr, p.seed] for p in self.record.lanes]
        return {"planned": planned, "epoch": self.record.epoch, "curves": curves, "lanes": self.lanes.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint of the same heat."""
        saved = record_of(self.record.number, state)
        if saved.lanes != self.record.lanes:
            raise StoreError(f"the checkpoint of heat {saved.number} is of other lanes than the plan; delete it to run them anew")
        self.lanes.load_state_dict(state["lanes"])
        self.record.epoch, self.record.curves = saved.epoch, saved.curves


def record_of(number: int, state: dict[str, Any]) -> HeatRecord:
    """The lanes, epoch and curves in a checkpoint."""
    planned = [PlannedLane(*p) for p in state["planned"]]
    return HeatRecord(number, planned, state["epoch"], {k: v.numpy().copy() for k, v in state["curves"].items()})


def unfinished(state: dict[str, Any], number: int, plan: Plan) -> HeatRecord:
    """A heat that was stopped, as far as its checkpoint tells; test figures are NaN, since its test part is unopened."""
    record = record_of(number, state)
    train = epoch_loss(record, plan)
    nan = math.nan
    for i, p in enumerate(record.lanes):
        val_loss, val_metric = (float(record.curves[k][i, record.epoch - 1]) for k in ("val_loss", "val_metric"))
        rule, steps = plan.rules[p.rule], record.epoch * plan.steps_per_epoch
        record.results.append(
            LaneResult(
                p.number, rule.label, p.lr, p.seed, "unfinished", float(train[i]), val_loss, val_metric, nan, nan, steps,
                hypers=rule.hypers,
            )
        )  # fmt: skip
    return record
