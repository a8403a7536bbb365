"""The same learning rate throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.schedules.base import AT_LEAST_0, Floats, Schedule, check


@dataclass(frozen=True)
class Constant(Schedule):
    """The same factor at every step.

    >>> Constant()(100)
    1.0
    """

    value: float = 1.0

    def __post_init__(self) -> None:
        check(self, value=AT_LEAST_0)

    def at(self, t: Floats) -> Floats:
        return np.full_like(t, self.value)

    @property
    def formula(self) -> str:
        return f"{self.value:g}"
