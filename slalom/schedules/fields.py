"""Fields of a schedule and what they may be: one number, or an array of one number a lane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from slalom.core.errors import BadValueError

Floats = npt.NDArray[np.float64]
Value = float | Floats  # lists, tuples and tensors are taken too, and become arrays


class Bound(NamedTuple):
    """The range of a field, both ends allowed, and the range in words."""

    low: float
    high: float
    allowed: str

    def admits(self, value: Any) -> bool:
        """Whether a value is a finite number in the range."""
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        return number and math.isfinite(value) and bool(self.low <= value <= self.high)


SMALLEST = math.ulp(0.0)  # the smallest number above 0: a bound for what must be > 0
BELOW_1 = math.nextafter(1.0, 0.0)
AT_LEAST_0 = Bound(0.0, math.inf, ">= 0")
AT_LEAST_1 = Bound(1.0, math.inf, ">= 1")
ABOVE_0 = Bound(SMALLEST, math.inf, "> 0")
SHARE = Bound(0.0, 1.0, "in [0, 1]")
INSIDE = Bound(SMALLEST, BELOW_1, "in (0, 1)")
POSITIVE_SHARE = Bound(SMALLEST, 1.0, "in (0, 1]")
MOMENTUM = Bound(0.0, BELOW_1, "in [0, 1)")


def checked(owner: str, name: str, value: Any, bound: Bound) -> Any:
    """The value, an array of floats where it holds one a lane. Errors: `BadValueError` that names field, value and lane."""
    if (isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)) or hasattr(value, "detach"):
        each = value.tolist() if hasattr(value, "tolist") else list(value)
        if isinstance(each, list):
            return _lanes(owner, name, each, bound)
        value = each
    if not bound.admits(value):
        raise BadValueError(f"{owner}: {name} must be {bound.allowed}, got {value!r}")
    return value


def _lanes(owner: str, name: str, each: list[Any], bound: Bound) -> Floats:
    if not each:
        raise BadValueError(f"{owner}: {name} must be one number or one a lane, got an empty list")
    for i, value in enumerate(each):
        if not bound.admits(value):
            raise BadValueError(f"{owner}: {name} must be {bound.allowed}, got {value!r} (lane {i})")
    made = np.array(each, dtype=np.float64)
    made.setflags(write=False)
    return made
