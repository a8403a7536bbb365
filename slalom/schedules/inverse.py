"""Inverse time decay, also called fractional: the classic rate of stochastic approximation."""

from __future__ import annotations

from dataclasses import dataclass

from slalom.schedules.base import Schedule
from slalom.schedules.fields import ABOVE_0, AT_LEAST_0, Floats, Value


@dataclass(frozen=True, eq=False)
class InverseTimeDecay(Schedule):
    """One over one plus `k` times the number of `every` steps gone by, to the power `power`.

    Source: Robbins & Monro 1951. Twins: Keras's `InverseTimeDecay(decay_steps=every, decay_rate=k)`; with `power=0.5` the
    inverse square root of transformers, up to its warm-up. Torch and optax have none.

    >>> InverseTimeDecay(k=1.0, every=10)(10)
    0.5
    """

    k: Value = 1.0
    every: Value = 1.0
    power: Value = 1.0

    bounds = {"k": AT_LEAST_0, "every": ABOVE_0, "power": ABOVE_0}  # noqa: RUF012
    durations = ("every",)

    def at(self, t: Floats) -> Floats:
        return 1 / (1 + self.k * t / self.every) ** self.power
