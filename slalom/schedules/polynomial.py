"""Polynomial decay: a power of the share of steps that is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.schedules.base import ABOVE_0, AT_LEAST_0, Floats, Schedule, check


@dataclass(frozen=True)
class PolynomialDecay(Schedule):
    """From 1 to `final` over `total` steps, as the share left to the power `power` (1: a straight line); then `final`.

    Twins: `torch.optim.lr_scheduler.PolynomialLR(total_iters=total, power=power)`; `optax.polynomial_schedule`.

    >>> PolynomialDecay(total=10, power=2)(5)
    0.25
    """

    total: float
    power: float = 1.0
    final: float = 0.0

    def __post_init__(self) -> None:
        check(self, total=ABOVE_0, power=ABOVE_0, final=AT_LEAST_0)

    def at(self, t: Floats) -> Floats:
        left = 1 - np.minimum(t, self.total) / self.total
        return self.final + (1 - self.final) * left**self.power

    @property
    def formula(self) -> str:
        fall = f"(1 - min(t, {self.total:g}) / {self.total:g})^{self.power:g}"
        return f"{self.final:g} + {1 - self.final:g} {fall}" if self.final else fall
