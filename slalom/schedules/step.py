"""Step decay: the learning rate is cut at regular intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.schedules.base import Schedule
from slalom.schedules.fields import ABOVE_0, SHARE, Floats, Value


@dataclass(frozen=True, eq=False)
class StepDecay(Schedule):
    """Multiplied by `factor` after each `every` steps: halved every 5 by default.

    Twins: `torch.optim.lr_scheduler.StepLR(step_size=every, gamma=factor)`; `optax.exponential_decay(staircase=True)`.

    >>> halve = StepDecay(every=5)
    >>> halve(4), halve(5), halve(10)
    (1.0, 0.5, 0.25)
    """

    factor: Value = 0.5
    every: Value = 5.0

    bounds = {"factor": SHARE, "every": ABOVE_0}  # noqa: RUF012
    durations = ("every",)

    def at(self, t: Floats) -> Floats:
        return self.factor ** np.floor(t / self.every)
