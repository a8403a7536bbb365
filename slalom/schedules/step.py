"""Step decay: the learning rate is cut at regular intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.schedules.base import ABOVE_0, SHARE, Floats, Schedule, check


@dataclass(frozen=True)
class StepDecay(Schedule):
    """Multiplied by `factor` after each `every` steps: halved by default.

    Twin: `torch.optim.lr_scheduler.StepLR(step_size=every, gamma=factor)`.

    >>> halve = StepDecay(every=5)
    >>> halve(4), halve(5), halve(10)
    (1.0, 0.5, 0.25)
    """

    factor: float = 0.5
    every: float = 1.0

    def __post_init__(self) -> None:
        check(self, factor=SHARE, every=ABOVE_0)

    def at(self, t: Floats) -> Floats:
        return np.asarray(self.factor ** np.floor(t / self.every))

    @property
    def formula(self) -> str:
        return f"{self.factor:g}^floor(t / {self.every:g})"
