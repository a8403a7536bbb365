"""A function of one's own as a schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from slalom.core.errors import BadValueError
from slalom.schedules.base import Schedule
from slalom.schedules.fields import Floats
from slalom.schedules.symbols import Symbol, called


@dataclass(frozen=True, eq=False)
class Custom(Schedule):
    """A function of the step (an int, from 0) that gives a finite factor >= 0, checked at every step.

    >>> Custom(lambda step: 1 / (1 + step))(1)
    0.5
    """

    function: Callable[[int], float]

    def at(self, t: Floats) -> Floats:
        if isinstance(t, Symbol):
            return called(self._name, t)
        return np.array([self._one(int(step)) for step in t.ravel()]).reshape(t.shape)

    def _one(self, step: int) -> float:
        try:
            given = self.function(step)
        except Exception as error:
            raise BadValueError(
                f"schedule {self.formula}: at step {step} it raised {type(error).__name__}: {error}; it is called with the step, "
                "a whole number from 0, and must return the factor on the learning rate"
            ) from error
        try:
            factor = float(given)
        except (TypeError, ValueError):
            factor = np.nan
        if not (np.isfinite(factor) and factor >= 0):
            raise BadValueError(f"schedule {self.formula}: the factor at step {step} must be a finite number >= 0, got {given!r}")
        return factor

    def in_steps(self, steps_per_epoch: float) -> Self:
        raise BadValueError(f"schedule {self.formula}: a function cannot be taken from epochs to steps; write it of the step")

    @property
    def _name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)
