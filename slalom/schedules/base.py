"""What every schedule is: a pure function of the step that gives a factor on the base learning rate."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

import numpy as np

from slalom.core.errors import BadValueError
from slalom.schedules import symbols
from slalom.schedules.fields import Bound, Floats, checked

if TYPE_CHECKING:
    import torch

    from slalom.schedules.attach import Attached


class Schedule(ABC):
    """`schedule(step)` is the factor on the base learning rate at a step counted from 0.

    `step`: one number gives a float; an array of any shape gives an array of that shape. Where a field holds one number a
    lane (`Cosine(total=100, final=[0, 0.1])`), the lanes come first: `[lanes]` for one step, `[lanes, *steps]` for an array.
    Steps may be fractions. There is no state: a run resumes from its step number alone.

    `a.then(b, at=10)`, `a + b`, `a * b` and `0.5 * a` compose; `in_steps(100)` takes durations that are in epochs to steps;
    `attach(optimizer)` is a scheduler for any torch optimizer; `str(schedule)` is the formula and `latex` its LaTeX.

    One of your own: a subclass with `at`, written in NumPy; a frozen dataclass if it has fields, with `bounds` for them.
    """

    bounds: ClassVar[Mapping[str, Bound]] = {}  # of the fields that are numbers
    durations: ClassVar[tuple[str, ...]] = ()  # those of them that are counted in steps
    optional: ClassVar[frozenset[str]] = frozenset()  # those of them that may be None
    words: ClassVar[Mapping[str, tuple[Any, ...]]] = {}  # what fields that are choices may be
    pure: ClassVar[bool] = True  # False: it also depends on what it is told in between (Plateau)

    def __post_init__(self) -> None:
        own = type(self).__name__
        for name, bound in self.bounds.items():
            value = getattr(self, name)
            if value is not None or name not in self.optional:
                object.__setattr__(self, name, checked(own, name, value, bound))
        for name, allowed in self.words.items():
            value = getattr(self, name)
            if not any(value is w or (isinstance(w, str) and value == w) for w in allowed):
                raise BadValueError(f"{own}: {name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
        for name, value in self._fields().items():
            if isinstance(value, Schedule) and not value.pure:
                raise BadValueError(
                    f"{own}: {name} must be a function of the step alone, and {type(value).__name__} is not; put it outermost, "
                    f"around the rest: {type(value).__name__}(base=...)"
                )
        self.lanes  # noqa: B018  (an error now, where fields disagree)

    @overload
    def __call__(self, step: float) -> Any: ...  # a float, or [lanes]
    @overload
    def __call__(self, step: Any) -> Floats: ...
    def __call__(self, step: Any) -> Any:
        return self._shaped(self.at, step)

    def _shaped(self, function: Any, step: Any) -> Any:
        try:
            t = np.asarray(step, dtype=np.float64)
        except (TypeError, ValueError):
            raise BadValueError(f"{type(self).__name__}: step must be a number or an array of numbers, got {step!r}") from None
        if not ((t >= 0) & (t < np.inf)).all():
            raise BadValueError(f"{type(self).__name__}: steps are finite numbers, counted from 0, got {t.min():g}")
        if self.lanes is None:
            value = function(t)
            return float(value) if t.ndim == 0 else np.array(np.broadcast_to(value, t.shape))
        value = np.broadcast_to(function(t[..., np.newaxis]), (*t.shape, self.lanes))
        return np.array(np.moveaxis(value, -1, 0))

    @abstractmethod
    def at(self, t: Floats) -> Floats:
        """The factor at steps `t`, in NumPy's words alone (they also print it), without a check.

        Fields broadcast against the last axis of `t`, which has length 1 or lanes where a field has one number a lane.
        """

    # Momentum -----------------------------------------------------------------------------------------------------------

    @property
    def cycles_momentum(self) -> bool:
        """Whether it sets the momentum (the first beta of Adam and its kin) as well as the learning rate."""
        return any(part.cycles_momentum for part in self._parts())

    def momentum(self, step: Any) -> Any:
        """The momentum at `step`, shaped as the factor is; None where the schedule leaves it alone."""
        return self._shaped(self.momentum_at, step) if self.cycles_momentum else None

    def momentum_at(self, t: Floats) -> Floats:
        """The momentum at steps `t`, shaped as `at`'s factors are."""
        raise NotImplementedError(f"{type(self).__name__} cycles momentum and does not say how: give it momentum_at")

    def without_momentum(self) -> Self:
        """The same learning rates, with the momentum left alone."""
        return self._replaced(lambda name, value: None if name == "momenta" else value, lambda part: part.without_momentum())

    # Fields -------------------------------------------------------------------------------------------------------------

    def _fields(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)} if dataclasses.is_dataclass(self) else {}

    def _parts(self) -> list[Schedule]:
        return [v for v in self._fields().values() if isinstance(v, Schedule)]

    def _replaced(self, field: Any, part: Any) -> Self:
        """A copy whose numbers went through `field(name, value)`, and schedules inside through `part(schedule)`."""
        new = {k: part(v) if isinstance(v, Schedule) else field(k, v) for k, v in self._fields().items()}
        return self._remade(new) if new else self

    def _remade(self, fields: dict[str, Any]) -> Self:
        return type(self)(**fields)

    @cached_property
    def lanes(self) -> int | None:
        """How many lanes the fields speak of; None where every field is one number for all."""
        sizes = {k: len(v) for k, v in self._fields().items() if isinstance(v, np.ndarray)}
        sizes |= {k: v.lanes for k, v in self._fields().items() if isinstance(v, Schedule) and v.lanes is not None}
        if len(set(sizes.values())) > 1:
            said = ", ".join(f"{k} {n}" for k, n in sizes.items())
            raise BadValueError(f"{type(self).__name__}: fields with one value a lane must agree on their number, got {said}")
        return next(iter(sizes.values()), None)

    def lane(self, i: int) -> Self:
        """The schedule of lane `i` alone.

        >>> from slalom.schedules import Cosine
        >>> Cosine(total=100, final=[0.0, 0.1]).lane(1)
        Cosine(total=100, final=0.1)
        """
        if self.lanes is None:
            return self
        if isinstance(i, bool) or not 0 <= i < self.lanes:
            raise BadValueError(f"{type(self).__name__}: lane must be one of 0..{self.lanes - 1}, got {i!r}")
        return self._replaced(lambda _, v: float(v[i]) if isinstance(v, np.ndarray) else v, lambda part: part.lane(i))

    def in_steps(self, steps_per_epoch: float) -> Self:
        """The schedule counted in steps, where its durations were written in epochs.

        >>> from slalom.schedules import StepDecay
        >>> StepDecay(every=5).in_steps(100)
        StepDecay(factor=0.5, every=500)
        """
        n = checked(type(self).__name__, "steps_per_epoch", steps_per_epoch, Bound(5e-324, np.inf, "> 0"))
        return self._replaced(
            lambda k, v: v * n if k in self.durations and v is not None else v, lambda part: part.in_steps(steps_per_epoch)
        )

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def _key(self) -> tuple[Any, ...]:
        return tuple((tuple(v), "lanes") if isinstance(v, np.ndarray) else v for v in self._fields().values()) or (id(self),)

    # Composition --------------------------------------------------------------------------------------------------------

    __array_ufunc__ = None  # so that numpy_array * schedule is this class's business

    def then(self, after: Schedule, at: float) -> Schedule:
        """This schedule before step `at`; from there `after`, whose own step 0 is that step."""
        from slalom.schedules.compose import Then

        return Then(self, after, at)

    def __add__(self, other: Any) -> Schedule:
        from slalom.schedules.compose import Sum, schedule_of

        made = schedule_of(other)
        return NotImplemented if made is None else Sum(self, made)

    def __mul__(self, other: Any) -> Schedule:
        from slalom.schedules.compose import Product, schedule_of

        made = schedule_of(other)
        return NotImplemented if made is None else Product(self, made)

    __radd__ = __add__
    __rmul__ = __mul__

    # Use and show -------------------------------------------------------------------------------------------------------

    def attach(self, optimizer: torch.optim.Optimizer, *, step: int = 0, base_lr: Any = None) -> Attached:
        """A `torch.optim.lr_scheduler.LRScheduler` that runs this schedule on `optimizer`; see `slalom.schedules.attach`.

        `step`: where the run is, for one that goes on; nothing else is needed. `base_lr`: what the factor multiplies, one
        number or one a parameter group; by default each group's `initial_lr` where a scheduler has left one, else its `lr`.

        >>> import torch
        >>> from slalom.schedules import Cosine
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
        >>> scheduler = Cosine(total=10).attach(optimizer, step=5)
        >>> optimizer.step(); scheduler.step()
        >>> scheduler.last_epoch, [round(lr, 6) for lr in scheduler.get_last_lr()]
        (6, [0.069098])
        """
        from slalom.schedules.attach import Attached

        return Attached(self, optimizer, step, base_lr)

    @property
    def formula(self) -> str:
        """The factor as a formula of the step t."""
        return symbols.text(self.at(symbols.STEP))  # type: ignore[arg-type]

    @property
    def latex(self) -> str:
        """The formula as LaTeX, for math mode."""
        return symbols.latex(self.at(symbols.STEP))  # type: ignore[arg-type]

    def __str__(self) -> str:
        return self.formula
