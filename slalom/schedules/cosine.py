"""Cosine annealing: half a cosine wave down, slow at both ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.schedules.base import ABOVE_0, AT_LEAST_0, Floats, Schedule, check


@dataclass(frozen=True)
class Cosine(Schedule):
    """From 1 to `final` over `total` steps along half a cosine wave; then `final`.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts. Twins: `optax.cosine_decay_schedule`;
    `torch.optim.lr_scheduler.CosineAnnealingLR(T_max=total)` up to `total`, after which torch's climbs again.

    >>> cosine = Cosine(total=10)
    >>> cosine(0), round(cosine(5), 6), cosine(10), cosine(15)
    (1.0, 0.5, 0.0, 0.0)
    """

    total: float
    final: float = 0.0

    def __post_init__(self) -> None:
        check(self, total=ABOVE_0, final=AT_LEAST_0)

    def at(self, t: Floats) -> Floats:
        wave = (1 + np.cos(np.pi * np.minimum(t, self.total) / self.total)) / 2
        return self.final + (1 - self.final) * wave

    @property
    def formula(self) -> str:
        wave = f"(1 + cos(pi min(t, {self.total:g}) / {self.total:g})) / 2"
        return f"{self.final:g} + {1 - self.final:g} {wave}" if self.final else wave
