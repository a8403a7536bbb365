"""A heat: lanes of one architecture and batch size, trained epoch by epoch, with everything they leave behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slalom.core.errors import StoreError
from slalom.core.rule import Settings
from slalom.engines.lanes import Lane, Lanes, TorchOptimizer
from slalom.engines.lanes.lane import momentum_hyper
from slalom.engines.lanes.losses import one_loss
from slalom.race.metrics import in_units
from slalom.race.parts import Parts
from slalom.race.plan import Plan, PlannedRule
from slalom.race.results import LaneResult
from slalom.race.variants.feed import Feed
from slalom.race.variants.made import example, penalty_of
from slalom.race.variants.stopping import Stopping, Stops, stops_of
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
    stops: Stops = field(default_factory=dict)  # of rows with early stopping


def epoch_loss(record: HeatRecord, plan: Plan, epoch: int | None = None) -> Array:
    """Mean training loss `[lanes]` over an epoch (counted from 0; unless told the last, or the one whose weights are kept),
    weighted by batch size."""
    if epoch is None and record.stops:
        last = {i: kept for i, (_, kept) in record.stops.items()}
        every = {e: epoch_loss(record, plan, e - 1) for e in {*last.values(), record.epoch}}
        return np.array([every[last.get(i, record.epoch)][i] for i in range(len(record.lanes))], dtype=np.float32)
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


def lane_for(rule: PlannedRule, lr: float, seed: int, schedule: Schedule | None, clip: float | None) -> Lane:
    """The lane of a planned rule at a rate and a seed."""
    optimizer = rule.entrant.optimizer(lr)
    share = rule.variant.get("dropout") or None  # without any, the model has no place for it
    return Lane(optimizer, seed, own_schedule(schedule, optimizer), clip, penalty_of(rule.variant), share)


class Heat:
    """Trains the planned lanes; `epoch()` is the unit that a checkpoint holds."""

    def __init__(self, number: int, planned: Sequence[PlannedLane], plan: Plan, parts: Parts) -> None:
        data = parts.data
        self.plan = plan
        self.data = data
        self.record = HeatRecord(number, list(planned))
        self.measures = [one_loss(parts.loss), in_units(parts.metric.measure, data)]
        made = [parts.made[p.rule] for p in planned]
        variants = [plan.rules[p.rule].variant for p in planned]
        lanes = [lane_for(plan.rules[p.rule], p.lr, p.seed, parts.schedule, plan.clip) for p in planned]
        self.stopping = Stopping([v.get("early_stopping") for v in variants])
        self.stops_early = bool(self.stopping.rows)
        self.feed = Feed(data.train, plan.batch_size, self._order(), [p.seed for p in planned], [m.augment for m in made])
        first = example(made[0].augment, data.train.x[: plan.batch_size], data.train.y[: plan.batch_size])
        self.lanes = Lanes(
            made[0].factory,
            lanes,
            loss=made[0].loss,
            example=first,
            mechanism=plan.mechanism,
            dtype=getattr(torch, plan.dtype),
            threads=plan.threads,
            device=plan.device,
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
        done = [self.lanes.epoch(x, y, index) for x, y, index in self.feed.epoch(e, self.lanes.t)]
        loss, norm = (np.concatenate([part[k] for part in done]) for k in (0, 1))
        val = self.lanes.evaluate(self.data.val.x, self.data.val.y, self.measures)
        curves = self.record.curves
        curves["train_loss"][:, e * per : (e + 1) * per] = loss.T
        curves["grad_norm"][:, e * per : (e + 1) * per] = norm.T
        curves["val_loss"][:, e], curves["val_metric"][:, e] = val
        for lane, loss_now in zip(self.lanes.lanes, val[0], strict=True):
            if isinstance(lane.schedule, PlateauState):
                lane.schedule.step(loss_now)
        self.record.epoch += 1
        if self.stops_early:
            self.stopping.epoch(self.record.epoch, val[0].tolist(), val[1].tolist(), self.lanes)
            self.record.stops = self.stopping.stops

    @property
    def done(self) -> bool:
        """All epochs are run."""
        return self.record.epoch == self.plan.epochs

    def finish(self) -> HeatRecord:
        """Opens the test part, once, and sums up every lane."""
        stopped = self.stopping.finish(self.lanes)
        test = self.lanes.evaluate(self.data.test.x, self.data.test.y, self.measures, stopped)
        train, curves, retired = epoch_loss(self.record, self.plan), self.record.curves, self.lanes.retired
        for i, p in enumerate(self.record.lanes):
            out = retired.get(i)
            planned = self.plan.rules[p.rule]
            stopped_at, kept = self.record.stops.get(i, (None, None)) if out is None else (None, None)
            at = (kept or self.record.epoch) - 1
            self.record.results.append(
                LaneResult(
                    lane=p.number,
                    rule=planned.label,
                    lr=p.lr,
                    seed=p.seed,
                    status="retired" if out else "finished",
                    train_loss=float(train[i]),
                    val_loss=float(curves["val_loss"][i, at]),
                    val_metric=float(curves["val_metric"][i, at]),
                    test_loss=float(test[0, i]),
                    test_metric=float(test[1, i]),
                    steps=out.last_finite_step if out else (stopped_at or self.record.epoch) * self.plan.steps_per_epoch,
                    retired_step=out.step if out else None,
                    last_finite_step=out.last_finite_step if out else None,
                    reason=out.reason if out else "",
                    mechanism=self.lanes.choice.name,
                    hypers=planned.hypers,
                    variant=planned.variant,
                    stopped_epoch=stopped_at,
                    kept_epoch=kept,
                )
            )
        each = [self.lanes.weights(i) for i in range(len(self.lanes))]
        self.record.weights = {k: torch.stack([w[k] for w in each]).cpu() for k in each[0]}
        return self.record

    def state_dict(self) -> dict[str, Any]:
        """The heat after its last epoch, to go on from."""
        curves = {k: torch.from_numpy(v) for k, v in self.record.curves.items()}
        planned = [[p.number, p.rule, p.lr, p.seed] for p in self.record.lanes]
        state = {"planned": planned, "epoch": self.record.epoch, "curves": curves, "lanes": self.lanes.state_dict()}
        return state | ({"stopping": self.stopping.state_dict()} if self.stops_early else {})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint of the same heat."""
        saved = record_of(self.record.number, state)
        if saved.lanes != self.record.lanes:
            raise StoreError(f"the checkpoint of heat {saved.number} is of other lanes than the plan; delete it to run them anew")
        self.lanes.load_state_dict(state["lanes"])
        self.record.epoch, self.record.curves, self.record.stops = saved.epoch, saved.curves, saved.stops
        if self.stops_early:
            self.stopping.load_state_dict(state["stopping"], saved.epoch)


def record_of(number: int, state: dict[str, Any]) -> HeatRecord:
    """The lanes, epoch and curves in a checkpoint."""
    planned = [PlannedLane(*p) for p in state["planned"]]
    curves = {k: v.numpy().copy() for k, v in state["curves"].items()}
    return HeatRecord(number, planned, state["epoch"], curves, stops=stops_of(state.get("stopping", {}), state["epoch"]))


def unfinished(state: dict[str, Any], number: int, plan: Plan) -> HeatRecord:
    """A heat that was stopped, as far as its checkpoint tells; test figures are NaN, since its test part is unopened."""
    record = record_of(number, state)
    train = epoch_loss(record, plan)
    nan = math.nan
    for i, p in enumerate(record.lanes):
        stopped, kept = record.stops.get(i, (None, record.epoch))
        val_loss, val_metric = (float(record.curves[k][i, kept - 1]) for k in ("val_loss", "val_metric"))
        rule, steps = plan.rules[p.rule], (stopped or record.epoch) * plan.steps_per_epoch
        record.results.append(
            LaneResult(
                p.number, rule.label, p.lr, p.seed, "unfinished", float(train[i]), val_loss, val_metric, nan, nan, steps,
                hypers=rule.hypers, variant=rule.variant,
            )
        )  # fmt: skip
    return record
