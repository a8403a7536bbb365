"""A small training problem of the study: a model, its data, its loss, and where its weights start."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

import slalom.rules  # noqa: F401  (fills the registry)
from slalom.data import Data
from slalom.data.record import Part
from slalom.engines.lanes import Lanes, lanes_of
from slalom.engines.lanes.generator import seeded
from slalom.race.order import batches

OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam")


@dataclass(frozen=True)
class Problem:
    """`start`: a module whose weights every run starts from (a warm start), or None: `model` is called for each seed."""

    name: str
    model: Callable[[], nn.Module]
    x: Tensor
    y: Tensor
    loss: str = "cross_entropy"
    batch: int = 64
    start: nn.Module | None = None

    @property
    def source(self) -> nn.Module | Callable[[], nn.Module]:
        return self.model if self.start is None else self.start

    @property
    def data(self) -> Data:
        """As `slalom.data` gives it: nothing scaled again, all rows for training."""
        part = Part(self.x, self.y)
        if self.loss == "cross_entropy":
            classes = tuple(str(k) for k in range(int(self.y.max()) + 1))
            return Data(self.name, "classification", part, part, part, classes=classes)
        return Data(self.name, "regression", part, part, part)


def warm(
    problem: Problem, name: str, rule: str, lr: float, steps: int, change: Callable[[nn.Module], None] | None = None
) -> Problem:
    """The problem, its weights trained for some steps; `change` alters them afterwards (a new head)."""
    lanes = Lanes(problem.source, lanes_of(rule, lr=[lr], seed=77), loss=problem.loss, example=example(problem))
    per = len(batches([0], 0, len(problem.x), problem.batch))
    epoch = 0
    while lanes.t < steps:
        index = batches([77], epoch, len(problem.x), problem.batch)
        lanes.epoch(problem.x, problem.y, index[: min(per, steps - lanes.t)])
        epoch += 1
    module = lanes.module(0)
    if change is not None:
        with seeded(78):
            change(module)
    return replace(problem, name=name, start=module)


def example(problem: Problem) -> tuple[Tensor, Tensor]:
    return problem.x[: problem.batch], problem.y[: problem.batch]


def curves(problem: Problem, optimizer: str, lrs: list[float], seeds: list[int], steps: int) -> np.ndarray:
    """Training loss `[rates, seeds, steps]` of runs at constant rates; infinite from where a run is not finite."""
    rates, numbers = [lr for lr in lrs for _ in seeds], [s for _ in lrs for s in seeds]
    lanes = Lanes(problem.source, lanes_of(optimizer, lr=rates, seed=numbers), loss=problem.loss, example=example(problem))
    loss, going, epoch = np.full((steps, len(rates)), np.inf), list(range(len(rates))), 0
    while lanes.t < steps:
        index = batches([numbers[i] for i in going], epoch, len(problem.x), problem.batch)[: steps - lanes.t]
        t = lanes.t
        loss[t : t + len(index), going] = lanes.epoch(problem.x, problem.y, index)[0]
        if len(lanes.retired) > len(going) // 8:  # their work ends
            kept = [i for i in range(len(going)) if i not in lanes.retired]
            lanes, going = lanes.only(kept), [going[i] for i in kept]
        epoch += 1
    loss = loss.T.reshape(len(lrs), len(seeds), steps)
    return np.where(np.isfinite(loss), loss, np.inf)


def standard(x: np.ndarray) -> Tensor:
    x = np.asarray(x, dtype=np.float64)
    return torch.tensor((x - x.mean(0)) / (x.std(0) + 1e-8), dtype=torch.float32)


def mlp(*widths: int, act: type[nn.Module] = nn.ReLU, norm: Callable[[int], nn.Module] | None = None) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(widths[:-1]):
            layers += [nn.Linear(a, b), *([norm(b)] if norm else []), act()]
        return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))

    return make


@cache
def digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return torch.tensor(x / 16.0, dtype=torch.float32), torch.tensor(y)
