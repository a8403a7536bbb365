"""Cosine annealing, once or with warm restarts: slow at both ends of every fall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from slalom.schedules.base import Schedule
from slalom.schedules.fields import ABOVE_0, AT_LEAST_0, AT_LEAST_1, POSITIVE_SHARE, Floats, Value
from slalom.schedules.symbols import Symbol, named


@dataclass(frozen=True, eq=False)
class Cosine(Schedule):
    """From 1 to `final` over `total` steps along half a cosine wave; then `final`.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts. Twins: `optax.cosine_decay_schedule`;
    `torch.optim.lr_scheduler.CosineAnnealingLR(T_max=total)` up to `total`, after which torch's climbs again.

    >>> cosine = Cosine(total=10)
    >>> cosine(0), round(cosine(5), 6), cosine(10), cosine(15)
    (1.0, 0.5, 0.0, 0.0)
    """

    total: Value
    final: Value = 0.0

    bounds = {"total": ABOVE_0, "final": AT_LEAST_0}  # noqa: RUF012
    durations = ("total",)

    def at(self, t: Floats) -> Floats:
        return self.final + (1 - self.final) * (1 + np.cos(np.pi * np.minimum(t, self.total) / self.total)) / 2


@dataclass(frozen=True, eq=False)
class CosineRestarts(Schedule):
    """Half a cosine wave down to `eta_min` over `T0` steps, again and again, each cycle `T_mult` times as long as the last.

    `decay`: each cycle's peak is this much of the one before; 1, as in the paper, restarts at the full learning rate. A peak
    never lies below `eta_min`. All are factors on the base learning rate.

    Source: SGDR, Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5. Twins: torch's
    `CosineAnnealingWarmRestarts(T_0, T_mult, eta_min)`, whose peaks do not decay; `optax.sgdr_schedule`, a list of cycles.

    >>> sgdr = CosineRestarts(T0=10, T_mult=2, decay=0.5)
    >>> sgdr(0), round(sgdr(5), 6), sgdr(10), round(sgdr(20), 6), sgdr(30)
    (1.0, 0.5, 0.5, 0.25, 0.25)
    """

    T0: Value = 10.0
    T_mult: Value = 1.0
    eta_min: Value = 0.0
    decay: Value = 1.0

    bounds = {"T0": ABOVE_0, "T_mult": AT_LEAST_1, "eta_min": AT_LEAST_0, "decay": POSITIVE_SHARE}  # noqa: RUF012
    durations = ("T0",)

    def at(self, t: Floats) -> Floats:
        n = named("n", self._cycle(t))
        grows = np.any(np.asarray(self.T_mult) != 1)
        done = named("u", (t - self._begin(n)) / (self.T0 * self.T_mult**n if grows else self.T0))
        peak = self.decay**n if np.any(np.asarray(self.decay) != 1) else 1.0
        fall = np.maximum(peak, self.eta_min) - self.eta_min
        factor: Floats = self.eta_min + fall * (1 + np.cos(np.pi * done)) / 2
        return factor

    def _begin(self, n: Any) -> Any:
        """The step at which cycle `n` begins."""
        if np.ndim(self.T_mult) == 0:
            return self.T0 * n if self.T_mult == 1 else self.T0 * (self.T_mult**n - 1) / (self.T_mult - 1)
        grows = np.asarray(self.T_mult) != 1
        mult = np.where(grows, self.T_mult, 2.0)
        return self.T0 * np.where(grows, (mult**n - 1) / (mult - 1), n)

    def _cycle(self, t: Floats) -> Any:
        """Which cycle a step is in, from 0."""
        m = self.T_mult
        if np.ndim(m) == 0 and m == 1:
            return np.floor(t / self.T0)
        mult = np.where(np.asarray(m) != 1, m, 2.0) if np.ndim(m) else m
        n = np.floor(np.log(1 + t * (mult - 1) / self.T0) / np.log(mult))
        if isinstance(t, Symbol):
            return n
        n = np.where(np.asarray(m) != 1, n, np.floor(t / self.T0))
        n = np.where(t < self._begin(n), n - 1, n)  # a logarithm may round across the border
        return np.where(t >= self._begin(n + 1), n + 1, n)
