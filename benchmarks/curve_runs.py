"""Labelled training runs for the study of curve reading: learning rates of .01, 1 and 100 times the best, with and without decay.

Every run is a lane. The best rate of a (task, rule, schedule) is the least mean loss on the whole training part after the last
step, over a grid of half decades and three seeds that no labelled run uses. Each run is branched where it ends: the same lane
trained again, to the bit the same until then, goes on at another rate; so branches serve as the probe and as the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import slalom
from slalom.data.record import Data
from slalom.nets import build
from slalom.race.order import batches
from slalom.schedules import Cosine

GRID = tuple(10 ** (k / 2) for k in range(-9, 5))  # 3e-5 .. 100
GRID_SEEDS = (900, 901, 902)
SHARES = (0.01, 1.0, 100.0)
RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("sgd", {}), "momentum": ("momentum", {"momentum": 0.9}), "adam": ("adam", {}),
}  # fmt: skip
STEPS, AFTER, BATCH, FINAL = 300, 100, 32, 0.01  # steps of a run, of a branch; rows a batch; decay's last factor
EVERY = 20  # the loss on the whole training part is taken every so many steps


@dataclass(frozen=True)
class Task:
    name: str
    data: Callable[[], Data]
    model: str


@dataclass(frozen=True)
class Run:
    """One run: `loss` and `lr` of its steps; `full`: loss on the whole training part, every `EVERY` steps from step 0;
    `branches`: losses of the steps after it, by the rate's factor on the last ("now") or the highest ("peak") rate;
    `ends`: loss on the whole training part at each branch's end; `best`: of the best rate's runs, the same measure at the end.
    """

    task: str
    rule: str
    decay: bool
    share: float
    seed: int
    loss: np.ndarray
    lr: np.ndarray
    full: np.ndarray
    branches: dict[str, np.ndarray]
    ends: dict[str, float]
    best: float


def branched(base: Callable[[Any], Any], at: int, to: float | None) -> Callable[[int], float]:
    """A schedule that is `base` before step `at` and `to` from there; None: stays as at the last step."""
    last = float(base(at - 1))
    return lambda t: float(base(t)) if t < at else (last if to is None else to)


def trained(task: Task, data: Data, lanes: Sequence[Any], steps: int, every: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Losses `[steps, lanes]`, full losses `[steps // every + 1, lanes]`, and at the very end `[lanes]`."""
    x, y = data.train.x, data.train.y
    loss = "cross_entropy" if data.task == "classification" else "mse"
    many = slalom.Lanes(build(task.model, data), lanes, loss=loss, example=(x[:BATCH], y[:BATCH]))
    one = torch.nn.functional.cross_entropy if loss == "cross_entropy" else torch.nn.functional.mse_loss

    def whole() -> np.ndarray:
        full = many.evaluate(x, y, [one])[0]
        full[list(many.retired)] = np.nan
        return full

    seeds = [lane.seed for lane in lanes]
    queue: list[Tensor] = []
    epoch, losses, fulls = 0, [], [whole()]
    for begin in range(0, steps, every):
        while len(queue) < every:
            queue += [b for b in batches(seeds, epoch, len(y), BATCH) if b.shape[-1] == BATCH]
            epoch += 1
        now, queue = queue[: min(every, steps - begin)], queue[min(every, steps - begin) :]
        losses.append(many.epoch(x, y, now)[0])
        fulls.append(whole())
    return np.concatenate(losses), np.stack(fulls), fulls[-1]


def best_rates(task: Task, data: Data, decay: bool, grid: Sequence[float] = GRID) -> dict[str, tuple[float, float]]:
    """For each rule the best rate and its mean loss on the whole training part after the last step."""
    schedule = Cosine(STEPS, final=FINAL) if decay else None
    lanes, keys = [], []
    for name, (rule, hypers) in RULES.items():
        for seed in GRID_SEEDS:
            lanes += slalom.lanes_of(rule, lr=list(grid), seed=seed, schedule=schedule, **hypers)
            keys += [(name, k) for k in range(len(grid))]
    ends = trained(task, data, lanes, STEPS, STEPS)[2]
    found = {}
    for name in RULES:
        mean = [np.mean([e for e, key in zip(ends, keys, strict=True) if key == (name, k)]) for k in range(len(grid))]
        k = int(np.nanargmin(mean))
        found[name] = (grid[k], float(mean[k]))
    return found


def labelled_runs(task: Task, seeds: Sequence[int], shares: Sequence[float] = SHARES) -> list[Run]:
    """All runs of a task: rules x with and without decay x shares of the best rate x seeds."""
    data = task.data()
    made = []
    for decay in (False, True):
        base = Cosine(STEPS, final=FINAL) if decay else (lambda t: np.ones_like(np.asarray(t, dtype=float)))
        last = float(base(STEPS - 1))
        ways = {"now": None, "lower": 0.1 * last, "higher": 3.0, "higher10": 10.0}
        best = best_rates(task, data, decay)
        lanes, keys = [], []
        for name, (rule, hypers) in RULES.items():
            for share in shares:
                for seed in seeds:
                    for way, to in ways.items():
                        lanes += slalom.lanes_of(
                            rule, lr=best[name][0] * share, seed=seed, schedule=branched(base, STEPS, to), **hypers
                        )
                        keys.append((name, share, seed, way))
        losses, fulls, ends = trained(task, data, lanes, STEPS + AFTER, EVERY)
        at = {key: k for k, key in enumerate(keys)}
        rates = base(np.arange(STEPS))
        for name in RULES:
            for share in shares:
                for seed in seeds:
                    own = {way: at[name, share, seed, way] for way in ways}
                    k = own["now"]
                    made.append(Run(
                        task.name, name, decay, share, seed, losses[:STEPS, k], best[name][0] * share * rates,
                        fulls[: STEPS // EVERY + 1, k], {w: losses[STEPS:, j] for w, j in own.items()},
                        {w: float(ends[j]) for w, j in own.items()}, best[name][1],
                    ))  # fmt: skip
    return made
