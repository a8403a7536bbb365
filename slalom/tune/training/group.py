"""Lanes that share a program, and their way from one epoch to a later one."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from slalom.engines.lanes import Lanes
from slalom.engines.lanes.losses import one_loss
from slalom.race.metrics import in_units
from slalom.race.variants.feed import Feed
from slalom.race.variants.made import example
from slalom.schedules import PlateauState
from slalom.tune.training.augment import augment_of, batches_of, loss_of
from slalom.tune.training.config import Training, lane_of
from slalom.tune.training.problem import Problem

# What a program's step costs on a CPU in ms, fitted to steps of 1 to 16 lanes of 4 sizes on one core (mean error 13 %): so much
# whatever it holds, and so much for a thousand numbers of its rows, which are updated (and 0.079 a million multiplications).
STEP, THOUSAND = 0.56, 0.0046


@dataclass(frozen=True)
class Member:
    """One configuration in training. `seed`: of initialisation and dropout; `order`: of its data."""

    number: int
    config: dict[str, Any]
    seed: int
    order: int


@dataclass(frozen=True)
class Group:
    """Members of one program; the plain record that workers are sent."""

    members: tuple[Member, ...]


def _structure(problem: Problem, member: Member) -> tuple[Hashable, ...]:
    training = Training.of(member.config, problem.data, problem.epochs, problem.defaults)
    batch = batches_of(member.config, problem.data)
    return (training.batch_size, bool(member.config.get("l1")), batch, problem.family.structure(member.config))


def groups_of(problem: Problem, members: Sequence[Member]) -> list[Group]:
    """Members that must not be apart are together, and of the rest those that cost less together than in programs of their own.

    Batch size and, for factories of a person's own, the architecture are fixed for a program. MLPs of one batch size are sorted
    by size and cut where the rows of small ones, as long as the largest's, would cost more than a program.
    """
    kinds: dict[Any, list[Member]] = {}
    for member in members:
        kinds.setdefault(_structure(problem, member), []).append(member)
    out = []
    for alike in kinds.values():
        costs = {m.number: problem.family.cost(m.config) for m in alike}
        ordered = sorted(alike, key=lambda m: (costs[m.number], m.number))
        parts = _cut(ordered, [costs[m.number] for m in ordered])
        out += [Group(tuple(sorted(part, key=lambda m: m.number))) for part in parts]
    return sorted(out, key=lambda g: g.members[0].number)


def _cut(ordered: list[Member], weights: list[int]) -> list[list[Member]]:
    """The cheapest cuts of a list that is sorted by size (dynamic programming over the places to cut at)."""
    n = len(ordered)
    best, come = [0.0] + [math.inf] * n, [0] * (n + 1)
    for end in range(1, n + 1):
        for start in range(end):  # what is multiplied is the same however they are cut
            cost = best[start] + STEP + (end - start) * weights[end - 1] * THOUSAND / 1e3
            if cost < best[end]:
                best[end], come[end] = cost, start
    parts = []
    while n:
        parts.append(ordered[come[n] : n])
        n = come[n]
    return parts[::-1]


@dataclass(frozen=True)
class Standing:
    """Where a member stands: after `epoch` epochs, in the data's own units; infinite where it has diverged."""

    number: int
    epoch: int
    loss: float
    metric: float
    diverged: str = ""


class StoppedError(Exception):
    """The search was stopped while a group trained."""


class GroupRun:
    """A group in training; `to(epoch)` goes on to that epoch, `only` keeps some of its members, to the bit."""

    def __init__(self, problem: Problem, group: Group) -> None:
        self.problem = problem
        self.members = list(group.members)
        configs = [m.config for m in self.members]
        self.trainings = [Training.of(c, problem.data, problem.epochs, problem.defaults) for c in configs]
        lanes = [lane_of(m.config, t, m.seed) for m, t in zip(self.members, self.trainings, strict=True)]
        self.augments = [augment_of(c, problem.data)[0] for c in configs]
        size = self.trainings[0].batch_size
        first = example(self.augments[0], problem.data.train.x[:size], problem.data.train.y[:size])
        loss = loss_of(self.augments[0], problem.loss)
        self.lanes: Lanes = problem.family.lanes(configs, lanes, loss, first, problem.dtype)
        self.measures = [one_loss(problem.loss), in_units(problem.metric.measure, problem.data)]
        self.epoch = 0
        self.ended: dict[int, Standing] = {}  # members whose own epochs are over

    def to(self, epoch: int, stopping: Callable[[], bool] | None = None) -> list[Standing]:
        """Train to the end of that epoch (counted from 1) and measure on validation; `stopping()` ends it with StoppedError."""
        orders, seeds = [m.order for m in self.members], [m.seed for m in self.members]
        feed = Feed(self.problem.data.train, self.trainings[0].batch_size, orders, seeds, self.augments)
        plateaus = any(isinstance(lane.schedule, PlateauState) for lane in self.lanes.lanes)
        standings: list[Standing] = []
        while self.epoch < epoch:
            if stopping is not None and stopping():
                raise StoppedError
            for x, y, index in feed.epoch(self.epoch, self.lanes.t):
                self.lanes.epoch(x, y, index)
            self.epoch += 1
            over = {m.number for m, t in zip(self.members, self.trainings, strict=True) if t.epochs == self.epoch}
            if plateaus or over or self.epoch == epoch:
                standings = self._measure()
                self.ended |= {s.number: s for s in standings if s.number in over}
                self.lanes.stop([k for k, m in enumerate(self.members) if m.number in over])
        return standings or self._measure()

    def _measure(self) -> list[Standing]:
        data, retired = self.problem.data, self.lanes.retired
        values = self.lanes.evaluate(data.val.x, data.val.y, self.measures)
        out = []
        for k, (member, lane) in enumerate(zip(self.members, self.lanes.lanes, strict=True)):
            loss, metric = float(values[0, k]), float(values[1, k])
            if isinstance(lane.schedule, PlateauState):
                lane.schedule.step(loss)
            why = f"step {retired[k].step}: {retired[k].reason}" if k in retired else ""
            why = why or ("" if math.isfinite(loss) else f"its validation loss is {loss}")
            made = Standing(member.number, self.epoch, math.inf if why else loss, math.nan if why else metric, why)
            out.append(self.ended.get(member.number, made))
        return out

    def only(self, numbers: Sequence[int]) -> None:
        """Keep these members; the others' work ends. Those that go on do so to the bit as they would have."""
        keep = [k for k, m in enumerate(self.members) if m.number in set(numbers)]
        if len(keep) < len(self.members):
            self.lanes = self.lanes.only(keep)
            self.members = [self.members[k] for k in keep]
            self.trainings, self.augments = [self.trainings[k] for k in keep], [self.augments[k] for k in keep]
            self.ended = {m.number: self.ended[m.number] for m in self.members if m.number in self.ended}

    def measure(self, part: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Loss and metric `[2, members]` on another part of the data."""
        return self.lanes.evaluate(part.x, part.y, self.measures)

    def module(self, number: int) -> nn.Module:
        """A member's model alone, trained so far, in evaluation mode."""
        k = next(k for k, m in enumerate(self.members) if m.number == number)
        member = self.members[k]
        return self.problem.family.trained(self.lanes, k, member.config, member.seed).eval()

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on to the bit, for the members that are left (loads with `weights_only=True`)."""
        ended = {n: [s.epoch, s.loss, s.metric, s.diverged] for n, s in self.ended.items()}
        return {
            "epoch": self.epoch,
            "members": [m.number for m in self.members],
            "ended": ended,
            "lanes": self.lanes.state_dict(),
        }

    @classmethod
    def resumed(cls, problem: Problem, group: Group, state: dict[str, Any]) -> GroupRun:
        """The group's members that are in the state, from where it stands."""
        run = cls(problem, group)
        run.only(state["members"])
        run.lanes.load_state_dict(state["lanes"])
        run.epoch = state["epoch"]
        run.ended = {int(n): Standing(int(n), *values) for n, values in state["ended"].items()}
        return run
