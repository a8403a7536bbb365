"""The same learning rate throughout."""

from __future__ import annotations

from dataclasses import dataclass

from slalom.schedules.base import Schedule
from slalom.schedules.fields import AT_LEAST_0, Floats, Value


@dataclass(frozen=True, eq=False)
class Constant(Schedule):
    """The same factor at every step.

    >>> Constant()(100)
    1.0
    """

    value: Value = 1.0

    bounds = {"value": AT_LEAST_0}  # noqa: RUF012

    def at(self, t: Floats) -> Floats:
        return self.value + 0 * t
