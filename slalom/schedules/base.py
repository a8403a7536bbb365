"""What every schedule is: a pure function of the step that gives a factor on the base learning rate."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from slalom.core.errors import BadValueError

Floats = npt.NDArray[np.float64]


class Schedule(ABC):
    """`schedule(step)` is the factor on the base learning rate at a step counted from 0; an array of steps gives an array.

    There is no state: a run resumes from its step number alone. `str(schedule)` is the formula.
    """

    @overload
    def __call__(self, step: int) -> float: ...
    @overload
    def __call__(self, step: npt.NDArray[Any]) -> Floats: ...
    def __call__(self, step: Any) -> Any:
        steps = np.asarray(step, dtype=np.float64)
        if not (steps >= 0).all():
            raise BadValueError(f"{type(self).__name__}: steps are counted from 0, got {steps.min():g}")
        factor = self.at(steps)
        return float(factor) if steps.ndim == 0 else factor

    @abstractmethod
    def at(self, t: Floats) -> Floats:
        """The factor at steps `t`, shaped like them."""

    @property
    @abstractmethod
    def formula(self) -> str:
        """The factor as a formula of the step t."""

    def __str__(self) -> str:
        return self.formula


def check(schedule: Schedule, **bounds: tuple[float, float, str]) -> None:
    """Errors for fields outside `(low, high, range in words)`, both ends allowed, and for fields that are no numbers."""
    for name, (low, high, allowed) in bounds.items():
        value = getattr(schedule, name)
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not low <= value <= high:
            raise BadValueError(f"{type(schedule).__name__}: {name} must be {allowed}, got {value!r}")


SMALLEST = math.ulp(0.0)  # the smallest number above 0: a bound for what must be > 0
AT_LEAST_0 = (0.0, math.inf, ">= 0")
ABOVE_0 = (SMALLEST, math.inf, "> 0")
SHARE = (0.0, 1.0, "in [0, 1]")
