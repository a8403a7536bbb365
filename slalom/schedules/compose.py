"""Schedules made of schedules: one after another, added, multiplied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from slalom.core.errors import BadValueError
from slalom.schedules.base import Schedule
from slalom.schedules.constant import Constant
from slalom.schedules.fields import AT_LEAST_0, Floats, Value
from slalom.schedules.symbols import Symbol


def schedule_of(value: Any) -> Schedule | None:
    """A schedule as it is, a number (or one a lane) as a constant one; None for anything else."""
    if isinstance(value, Schedule):
        return value
    numbers = isinstance(value, int | float | np.number | np.ndarray | list | tuple) and not isinstance(value, bool)
    return Constant(value) if numbers else None


def since(t: Floats, begin: Value) -> Floats:
    """Steps since `begin`; 0 before it, where no formula looks."""
    return t - begin if isinstance(t, Symbol) else np.maximum(t - begin, 0.0)


def must_be_schedule(owner: Schedule, *names: str) -> None:
    """An error for fields that are no schedules."""
    for name in names:
        if not isinstance(value := getattr(owner, name), Schedule):
            raise BadValueError(f"{type(owner).__name__}: {name} must be a schedule, got {value!r}")


@dataclass(frozen=True, eq=False)
class Then(Schedule):
    """`first` before step `start`, then `second`, whose own step 0 is that step.

    Twins: `optax.join_schedules`; `torch.optim.lr_scheduler.SequentialLR`, whose state is lost on resuming by `last_epoch`.

    >>> from slalom.schedules import Constant, StepDecay
    >>> both = Constant().then(StepDecay(every=2), at=3)
    >>> [both(t) for t in (0, 2, 3, 5)]
    [1.0, 1.0, 1.0, 0.5]
    """

    first: Schedule
    second: Schedule
    start: Value

    bounds = {"start": AT_LEAST_0}  # noqa: RUF012
    durations = ("start",)

    def __post_init__(self) -> None:
        must_be_schedule(self, "first", "second")
        super().__post_init__()

    def at(self, t: Floats) -> Floats:
        return np.where(t < self.start, self.first.at(t), self.second.at(since(t, self.start)))

    def momentum_at(self, t: Floats) -> Floats:
        if not self.second.cycles_momentum:
            return self.first.momentum_at(np.minimum(t, self.start))  # which then stays where it was left
        late = self.second.momentum_at(since(t, self.start))
        return np.where(t < self.start, self.first.momentum_at(t), late) if self.first.cycles_momentum else late


@dataclass(frozen=True, eq=False)
class _Pair(Schedule):
    """Two schedules at the same step, of which one may set the momentum."""

    first: Schedule
    second: Schedule

    def __post_init__(self) -> None:
        _one_momentum(self, self.first, self.second)
        super().__post_init__()

    def momentum_at(self, t: Floats) -> Floats:
        return (self.first if self.first.cycles_momentum else self.second).momentum_at(t)


@dataclass(frozen=True, eq=False)
class Sum(_Pair):
    """The factors of two schedules, added.

    >>> from slalom.schedules import Constant, Cosine
    >>> (Cosine(total=10) + 0.5)(10)
    0.5
    """

    def at(self, t: Floats) -> Floats:
        return self.first.at(t) + self.second.at(t)


@dataclass(frozen=True, eq=False)
class Product(_Pair):
    """The factors of two schedules, multiplied.

    Twin: `torch.optim.lr_scheduler.ChainedScheduler`.

    >>> from slalom.schedules import Cosine
    >>> (0.5 * Cosine(total=10))(0)
    0.5
    """

    def at(self, t: Floats) -> Floats:
        return self.first.at(t) * self.second.at(t)


def _one_momentum(owner: Schedule, first: Schedule, second: Schedule) -> None:
    must_be_schedule(owner, "first", "second")
    if first.cycles_momentum and second.cycles_momentum:
        raise BadValueError(f"{type(owner).__name__}: both schedules set the momentum; give one of them momenta=None")
