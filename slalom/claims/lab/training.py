"""Training in lanes: learning rates x seeds of each method side by side, tuned on one set of seeds and judged on the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slalom.claims.claim import Plan
from slalom.engines.lanes import Lane, Lanes, lanes_of

Floats = np.ndarray[Any, np.dtype[np.float64]]
WORST = 1e3  # stands for a loss that is not finite


@dataclass(frozen=True)
class Task:
    """Training data and what is measured: `x`, `y` for training; `test_x`, `test_y` that chose nothing."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor
    make: Callable[[], nn.Module]
    batch: int = 64
    steps: int = 300
    loss: Any = "cross_entropy"


@dataclass(frozen=True)
class Trained:
    """`curve [steps, lanes]` training losses on batches; `loss`, `accuracy [lanes]`: whole training part, test part."""

    lanes: Lanes
    curve: Floats
    loss: Floats
    accuracy: Floats


def decades(low: float, high: float, each: int = 2) -> list[float]:
    """Rates `each` to a decade from `low` to `high`.

    >>> [round(v, 3) for v in decades(0.01, 1)]
    [0.01, 0.032, 0.1, 0.316, 1.0]
    """
    n = round(math.log10(high / low) * each) + 1
    return [float(v) for v in np.geomspace(low, high, n)]


def right(outputs: Tensor, y: Tensor) -> Tensor:
    """The share of right answers."""
    return (outputs.argmax(-1) == y).float().mean()


def batches(n: int, batch: int, steps: int, seeds: Sequence[int]) -> list[Tensor]:
    """Indices `[seeds, batch]` a step: every seed its own order, gone through epoch by epoch; seeds alike get the same."""
    own: dict[int, list[Tensor]] = {}
    each = max(1, n // batch)
    for seed in set(seeds):
        made: list[Tensor] = []
        for epoch in range(math.ceil(steps / each)):
            g = torch.Generator().manual_seed(7919 * seed + epoch)
            made += list(torch.split(torch.randperm(n, generator=g)[: each * batch], min(batch, n)))
        own[seed] = made
    return [torch.stack([own[s][t] for s in seeds]) for t in range(steps)]


def train(task: Task, many: Sequence[Lane], make: Callable[[], nn.Module] | None = None) -> Trained:
    """Trains the lanes, each on its own seed's order of the data."""
    lanes = Lanes(make or task.make, many, loss=task.loss, example=(task.x[: task.batch], task.y[: task.batch]))
    curve, _ = lanes.epoch(task.x, task.y, batches(len(task.x), task.batch, task.steps, [lane.seed for lane in many]))
    loss = lanes.evaluate(task.x, task.y, [lanes_loss(task.loss)])[0]
    classes = not task.y.is_floating_point()
    measure = right if classes else lanes_loss(task.loss)
    accuracy = lanes.evaluate(task.test_x, task.test_y, [measure])[0]
    return Trained(lanes, curve, np.where(np.isfinite(loss), loss, WORST), np.where(np.isfinite(accuracy), accuracy, 0.0))


def lanes_loss(loss: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss as a measure."""
    if callable(loss):
        return loss  # type: ignore[no-any-return]
    return nn.functional.cross_entropy if loss == "cross_entropy" else nn.functional.mse_loss


@dataclass(frozen=True)
class Sweep:
    """One method at every rate: arrays `[rates, seeds]`, `curve [steps, rates, seeds]`."""

    lrs: tuple[float, ...]
    loss: Floats
    accuracy: Floats
    curve: Floats

    def chosen(self, merit: Floats) -> list[int]:
        """For each seed the index of the rate with the least mean of `merit [rates, seeds]` over the other set's seeds."""
        n = merit.shape[1] // 2
        first, second = int(np.argmin(merit[:, :n].mean(1))), int(np.argmin(merit[:, n:].mean(1)))
        return [second] * n + [first] * n

    def at_best(self, what: Floats, merit: Floats | None = None) -> Floats:
        """`what [rates, seeds]` of each seed at the rate that the other set of seeds finds best (by least `loss`): `[seeds]`."""
        best = self.chosen(self.loss if merit is None else merit)
        return np.array([what[k, s] for s, k in enumerate(best)])

    def best_lrs(self, merit: Floats | None = None) -> list[float]:
        """The two rates chosen, second set's first."""
        best = self.chosen(self.loss if merit is None else merit)
        return sorted({self.lrs[best[0]], self.lrs[best[-1]]})

    def edge(self, name: str, merit: Floats | None = None) -> tuple[str, ...]:
        """A flag where a chosen rate is the grid's first or last."""
        at = [lr for lr in self.best_lrs(merit) if lr in (self.lrs[0], self.lrs[-1])]
        return tuple(f"{name}: lr {lr:.3g} is the edge of its grid" for lr in at)


def sweep(
    task: Task, rule: str, lrs: Sequence[float], plan: Plan, make: Callable[[], nn.Module] | None = None, **settings: Any
) -> Sweep:
    """Every rate with every seed of the plan, as lanes of one program."""
    seeds = list(plan.seeds)
    many = [lane for lr in lrs for lane in lanes_of(rule, lr=lr, seed=seeds, **settings)]
    done = train(task, many, make)
    shape = (len(lrs), len(seeds))
    return Sweep(tuple(lrs), done.loss.reshape(shape), done.accuracy.reshape(shape), done.curve.reshape(-1, *shape))


def percent(found: Sweep) -> Floats:
    """Test accuracy at the tuned rate, `[seeds]`, in percent."""
    return np.asarray(100 * found.at_best(found.accuracy, -found.accuracy))


def steps_to(curve: Floats, level: float, window: int = 10) -> Floats:
    """Steps until the mean loss of the last `window` batches is below `level`, along axis 0; never: 1.5 times all steps."""
    steps = len(curve)
    filled = np.where(np.isfinite(curve), curve, WORST)
    sums = np.cumsum(np.concatenate([np.zeros((1, *filled.shape[1:])), filled]), axis=0)
    means = (sums[window:] - sums[:-window]) / window
    ok = means < level
    return np.where(ok.any(0), ok.argmax(0) + window, 1.5 * steps)


def told(values: Floats | Sequence[float]) -> tuple[float, ...]:
    """Plain floats for an outcome."""
    return tuple(float(v) for v in np.asarray(values).ravel())
