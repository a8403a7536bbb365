"""Warm-up: the learning rate climbs in a straight line, then another schedule begins."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from slalom.core.errors import BadValueError
from slalom.schedules.base import AT_LEAST_0, SHARE, Floats, Schedule, check
from slalom.schedules.constant import Constant


@dataclass(frozen=True)
class Warmup(Schedule):
    """From `start` to 1 in a straight line over `steps` steps, then `then`, whose own step 0 is that step.

    `start`: 1 / (steps + 1) by default, so that no step is wasted at a rate of 0. Twins: `optax.linear_schedule` joined
    to the next; `torch.optim.lr_scheduler.LinearLR(start_factor=start, total_iters=steps)`.

    >>> warm = Warmup(steps=3)
    >>> warm(0), warm(1), warm(3), warm(9)
    (0.25, 0.5, 1.0, 1.0)
    """

    steps: float
    then: Schedule = field(default_factory=Constant)
    start: float | None = None

    def __post_init__(self) -> None:
        check(self, steps=AT_LEAST_0)
        if self.start is not None:
            check(self, start=SHARE)
        if not isinstance(self.then, Schedule):
            raise BadValueError(f"Warmup: then must be a schedule, got {self.then!r}")

    @property
    def first(self) -> float:
        """The factor at step 0."""
        return 1 / (self.steps + 1) if self.start is None else self.start

    def at(self, t: Floats) -> Floats:
        share = np.minimum(t / self.steps, 1.0) if self.steps else np.ones_like(t)
        climb = self.first + (1 - self.first) * share
        return np.where(t < self.steps, climb, self.then.at(np.maximum(t - self.steps, 0.0)))

    @property
    def formula(self) -> str:
        climb = f"{self.first:g} + {1 - self.first:g} t / {self.steps:g}"
        return f"{climb} for t < {self.steps:g}, then with t counted from there: {self.then.formula}"
