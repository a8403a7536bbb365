"""Polynomial decay: a power of the share of steps that is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.schedules.base import Schedule
from slalom.schedules.fields import ABOVE_0, AT_LEAST_0, Floats, Value


@dataclass(frozen=True, eq=False)
class PolynomialDecay(Schedule):
    """From 1 to `final` over `total` steps, as the share left to the power `power` (1: a straight line); then `final`.

    Twins: `torch.optim.lr_scheduler.PolynomialLR(total_iters=total, power=power)`; `optax.polynomial_schedule`.

    >>> PolynomialDecay(total=10, power=2)(5)
    0.25
    """

    total: Value
    power: Value = 1.0
    final: Value = 0.0

    bounds = {"total": ABOVE_0, "power": ABOVE_0, "final": AT_LEAST_0}  # noqa: RUF012
    durations = ("total",)

    def at(self, t: Floats) -> Floats:
        return self.final + (1 - self.final) * (1 - np.minimum(t, self.total) / self.total) ** self.power
