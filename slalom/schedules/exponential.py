"""Exponential decay: the learning rate shrinks by the same factor in equal times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.schedules.base import ABOVE_0, SHARE, Floats, Schedule, check


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """Multiplied by `gamma` in each `every` steps, smoothly at every step in between.

    Twins: `torch.optim.lr_scheduler.ExponentialLR(gamma)` at `every=1`; `optax.exponential_decay`.

    >>> ExponentialDecay(gamma=0.25, every=2)(1)
    0.5
    """

    gamma: float = 0.95
    every: float = 1.0

    def __post_init__(self) -> None:
        check(self, gamma=SHARE, every=ABOVE_0)

    def at(self, t: Floats) -> Floats:
        return np.asarray(self.gamma ** (t / self.every))

    @property
    def formula(self) -> str:
        return f"{self.gamma:g}^(t / {self.every:g})"
