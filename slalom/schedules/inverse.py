"""Inverse time decay, also called fractional: the classic rate of stochastic approximation."""

from __future__ import annotations

from dataclasses import dataclass

from slalom.schedules.base import ABOVE_0, AT_LEAST_0, Floats, Schedule, check


@dataclass(frozen=True)
class InverseTimeDecay(Schedule):
    """One over one plus `k` times the number of `every` steps gone by.

    Source: Robbins & Monro 1951; Keras's `InverseTimeDecay(decay_steps=every, decay_rate=k)`.

    >>> InverseTimeDecay(k=1.0, every=10)(10)
    0.5
    """

    k: float = 1.0
    every: float = 1.0

    def __post_init__(self) -> None:
        check(self, k=AT_LEAST_0, every=ABOVE_0)

    def at(self, t: Floats) -> Floats:
        return 1 / (1 + self.k * t / self.every)

    @property
    def formula(self) -> str:
        return f"1 / (1 + {self.k:g} t / {self.every:g})"
