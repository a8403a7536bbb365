"""Labelled training runs: learning rates of .01, 1 and 100 times the best, with and without decay, each branched at its end.

The best rate of a (task, rule, schedule) has the least loss on the whole training part in the end, over half decades and three
seeds that no labelled run uses. A run's branches go on from where it ended: at the same rate, a tenth of it, and 3 and 10 times
the highest rate, each on the same REPEATS orders of the rows. Their first steps are what a probe would see; where those on the
first order end is part of the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import Any

import numpy as np
import torch.nn.functional as F

import slalom
from slalom.data.record import Data
from slalom.nets import build
from slalom.race.order import batches
from slalom.schedules import Constant, Cosine, Schedule

GRID = tuple(10 ** (k / 2) for k in range(-9, 5))  # 3e-5 .. 100
GRID_SEEDS = (900, 901, 902)
SHARES = (0.01, 1.0, 100.0)
RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("sgd", {}), "momentum": ("momentum", {"momentum": 0.9}), "adam": ("adam", {}),
}  # fmt: skip
STEPS, AFTER, BATCH, FINAL = 300, 100, 32, 0.01  # steps of a run, of a branch; rows a batch; what a decay ends at
EVERY = 20  # the loss on the whole training part is taken every so many steps
LAST = 3  # the last so many of these, averaged, are a run's end: one alone may have caught a swing
LAST_OF_BRANCH = 2
PROBE, LOOKS = 60, 5  # steps of a probe; in its second half the loss is taken every so many
ORDER = 100_000  # from one order's seeds to the next's
REPEATS = 3  # orders of the rows that a probe goes on with


@dataclass(frozen=True)
class Task:
    name: str
    data: Callable[[], Data]
    model: str


@dataclass(frozen=True)
class Run:
    """One run: `loss` and `lr` of its steps, the same on the whole training part at its start and its end, that of the best rate;
    `branches`: the loss on the whole training part as a probe takes it `[REPEATS, looks]`, `ends`: at the end of the first.
    """

    task: str
    rule: str
    decay: bool
    share: float
    seed: int
    loss: np.ndarray
    lr: np.ndarray
    initial: float
    end: float
    best: float
    branches: dict[str, np.ndarray]
    ends: dict[str, float]

    @property
    def drop(self) -> float:
        return self.initial - self.best

    @property
    def regret(self) -> float:
        """How far from the best the run ended, as a share of the best's drop; NaN or infinite where it did not end."""
        return (self.end - self.best) / self.drop


class Training:
    """Lanes with the batches of their seeds, from any step."""

    def __init__(self, task: Task, data: Data, lanes: Sequence[Any], step: int = 0, order: int = 0) -> None:
        self.x, self.y = data.train.x, data.train.y
        loss = "cross_entropy" if data.task == "classification" else "mse"
        self.measure = F.cross_entropy if loss == "cross_entropy" else F.mse_loss
        self.lanes = slalom.Lanes(build(task.model, data), lanes, loss=loss, example=(self.x[:BATCH], self.y[:BATCH]))
        seeds = [lane.seed + ORDER * order for lane in lanes]
        epochs = (batches(seeds, epoch, len(self.y), BATCH) for epoch in count())
        whole = (batch for batch in chain.from_iterable(epochs) if batch.shape[-1] == BATCH)
        self.stream = islice(whole, step, None)

    def whole(self) -> np.ndarray:
        """The loss on the whole training part `[lanes]`; NaN for lanes that turned non-finite."""
        full = self.lanes.evaluate(self.x, self.y, [self.measure])[0]
        full[list(self.lanes.retired)] = np.nan
        return full

    def run(self, steps: int, every: int = EVERY) -> tuple[np.ndarray, np.ndarray]:
        """Losses `[steps, lanes]`, and on the whole training part after each `every` steps."""
        losses, full = [], []
        for _ in range(steps // every):
            losses.append(self.lanes.epoch(self.x, self.y, list(islice(self.stream, every)))[0])
            full.append(self.whole())
        return np.concatenate(losses), np.stack(full)


def best_rates(task: Task, data: Data, schedule: Schedule) -> dict[str, tuple[float, float]]:
    """For each rule the best rate and its mean end."""
    lanes, keys = [], []
    for name, (rule, hypers) in RULES.items():
        for seed in GRID_SEEDS:
            lanes += slalom.lanes_of(rule, lr=list(GRID), seed=seed, schedule=schedule, **hypers)
            keys += [(name, k) for k in range(len(GRID))]
    training = Training(task, data, lanes)
    training.run(STEPS - LAST * EVERY, STEPS - LAST * EVERY)
    ends = training.run(LAST * EVERY)[1].mean(0)
    found = {}
    for name in RULES:
        mean = [np.mean([e for e, key in zip(ends, keys, strict=True) if key == (name, k)]) for k in range(len(GRID))]
        k = int(np.nanargmin(mean))
        found[name] = (GRID[k], float(mean[k]))
    return found


def labelled_runs(task: Task, seeds: Sequence[int]) -> list[Run]:
    """All runs of a task: rules x with and without decay x shares of the best rate x seeds."""
    data = task.data()
    return [run for decay in (False, True) for run in _runs(task, data, decay, seeds)]


def _runs(task: Task, data: Data, decay: bool, seeds: Sequence[int]) -> list[Run]:
    base: Schedule = Cosine(STEPS, final=FINAL) if decay else Constant()
    best = best_rates(task, data, base)
    keys = [(name, share, seed) for name in RULES for share in SHARES for seed in seeds]

    def lanes(schedule: Callable[[int], float]) -> list[Any]:
        return [
            slalom.lanes_of(RULES[name][0], lr=best[name][0] * share, seed=seed, schedule=schedule, **RULES[name][1])[0]
            for name, share, seed in keys
        ]

    training = Training(task, data, lanes(base))
    initial = training.whole()
    losses, full = training.run(STEPS)
    state = training.lanes.state_dict()
    factors = base(np.arange(STEPS))
    ways = {"now": factors[-1], "lower": 0.1 * factors[-1], "higher 3": 3.0, "higher 10": 10.0}
    after = {}
    for way, factor in ways.items():
        seen = []
        for order in range(REPEATS):
            branch = Training(task, data, lanes(lambda _, to=float(factor): to), STEPS, order)  # type: ignore[misc]
            branch.lanes.load_state_dict(state)
            branch.run(PROBE // 2, PROBE // 2)
            seen.append(branch.run(PROBE - PROBE // 2, LOOKS)[1])
            if order == 0:
                ends = branch.run(AFTER - PROBE)[1][-LAST_OF_BRANCH:].mean(0)
        after[way] = np.stack(seen), ends
    return [
        Run(
            task.name, name, decay, share, seed, losses[:, k], best[name][0] * share * factors, float(initial[k]),
            float(full[-LAST:, k].mean()), best[name][1], {way: after[way][0][:, :, k] for way in ways},
            {way: float(after[way][1][k]) for way in ways},
        )
        for k, (name, share, seed) in enumerate(keys)
    ]  # fmt: skip
