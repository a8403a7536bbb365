"""Exponential decay: the learning rate shrinks by the same factor in equal times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.schedules.base import Schedule
from slalom.schedules.fields import ABOVE_0, POSITIVE_SHARE, SHARE, Floats, Value


@dataclass(frozen=True, eq=False)
class ExponentialDecay(Schedule):
    """Multiplied by `gamma` in each `every` steps, smoothly at every step in between.

    Twins: `torch.optim.lr_scheduler.ExponentialLR(gamma)` at `every=1`; `optax.exponential_decay(1, every, gamma)`.

    >>> ExponentialDecay(gamma=0.25, every=2)(1)
    0.5
    """

    gamma: Value = 0.95
    every: Value = 1.0

    bounds = {"gamma": SHARE, "every": ABOVE_0}  # noqa: RUF012
    durations = ("every",)

    def at(self, t: Floats) -> Floats:
        return self.gamma ** (t / self.every)


@dataclass(frozen=True, eq=False)
class Annealing(Schedule):
    """From 1 to `final` over `total` steps, by the same factor at every step; then `final`: a hundredth by default.

    Twins: `optax.exponential_decay(1, total, final, end_value=final)`; torch's `ExponentialLR(final ** (1 / total))` up to
    `total`, after which torch's goes on falling.

    >>> annealing = Annealing(total=10)
    >>> annealing(0), round(annealing(5), 6), annealing(10), annealing(99)
    (1.0, 0.1, 0.01, 0.01)
    """

    total: Value
    final: Value = 0.01

    bounds = {"total": ABOVE_0, "final": POSITIVE_SHARE}  # noqa: RUF012
    durations = ("total",)

    def at(self, t: Floats) -> Floats:
        return self.final ** (np.minimum(t, self.total) / self.total)
