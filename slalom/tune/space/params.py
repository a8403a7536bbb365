"""One thing that may vary: a number, a whole number, or a choice, each with a scale from 0 to 1 that samplers work on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from slalom.core.errors import BadValueError

Value = bool | int | float | str | None
When = Mapping[str, tuple[Value, ...]]
P = TypeVar("P", bound="Param")


@dataclass(frozen=True)
class Param:
    """What all have: `condition`, the values of other parameters beside which this one is in use.

    `unit(value)` is a value's place on a scale from 0 to 1, `at(u)` the value at a place; equal steps of u are equally likely.
    """

    condition: When = field(default_factory=dict, kw_only=True, repr=False)
    kind: ClassVar[str] = ""

    def when(self: P, **values: Any) -> P:
        """The same parameter, in use only beside these values: `Float(0, .99).when(optimizer="sgd")`, or a list of them."""
        made = {k: tuple(v) if isinstance(v, list | tuple) else (v,) for k, v in values.items()}
        return dataclasses.replace(self, condition={**self.condition, **made})

    def check(self, name: str, value: Any) -> Value:
        """The value, or BadValueError where the parameter cannot have it."""
        raise NotImplementedError

    def unit(self, value: Any) -> float:
        raise NotImplementedError

    def at(self, u: float) -> Value:
        raise NotImplementedError

    def grid(self, points: int) -> list[Value]:
        """At most this many values, evenly spread, both ends among them."""
        places = [0.5] if points == 1 else [i / (points - 1) for i in range(points)]
        return list(dict.fromkeys(self.at(u) for u in places))

    @property
    def count(self) -> int | None:
        """How many values there are; None where there is no end of them."""
        return None

    @property
    def scale(self) -> str:
        """`linear`, `log`, `near_one` or `choice`: how a picture's axis runs."""
        return "linear"

    def edge(self, value: Any) -> str | None:
        """Which end of its range a value sits at (within 2 % of the scale), or None."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """As plain data, which `slalom.tune.space.space.param_of` reads."""
        body = {k.name: getattr(self, k.name) for k in dataclasses.fields(self) if k.name != "condition"}
        body = {k: list(v) if isinstance(v, tuple) else v for k, v in body.items() if v is not False and v is not None}
        when = {k: list(v) for k, v in self.condition.items()}
        return {"kind": self.kind, **body, **({"when": when} if when else {})}


def _number(what: str, value: Any, whole: bool) -> float:
    good = isinstance(value, int) or (isinstance(value, float) and not whole)
    if isinstance(value, bool) or not good or not math.isfinite(value):
        raise BadValueError(f"{what} must be a {'whole ' * whole}number, got {value!r}")
    return float(value)


@dataclass(frozen=True)
class _Range(Param):
    def _checked(self, whole: bool) -> tuple[Any, Any]:
        name = type(self).__name__
        low, high = (_number(f"{name}: {k}", getattr(self, k), whole) for k in ("low", "high"))
        if not low < high:
            raise BadValueError(f"{name}: low must be below high, got {low:g} and {high:g}; a fixed value is given as itself")
        return low, high

    def edge(self, value: Any) -> str | None:
        u = self.unit(value)
        if self.count is not None:
            return "low" if value == self.at(0) else "high" if value == self.at(1) else None
        return "low" if u <= 0.02 else "high" if u >= 0.98 else None

    def _within(self, name: str, value: Any, whole: bool) -> float:
        number = _number(name, value, whole)
        low, high = getattr(self, "low"), getattr(self, "high")  # noqa: B009  (of the classes below)
        if not low <= number <= high:
            raise BadValueError(f"{name} must be in [{low:g}, {high:g}], got {value!r}")
        return number


@dataclass(frozen=True)
class Float(_Range):
    """A number in [low, high]: evenly, in the logarithm (`log`), or in the logarithm of 1 - x (`near_one`, for decay rates).

    >>> Float(1e-4, 1, log=True).at(0.5)
    0.01
    >>> round(Float(0.9, 0.999, near_one=True).at(0.5), 6)
    0.99
    >>> Float(1, 0)
    Traceback (most recent call last):
    slalom.core.errors.BadValueError: Float: low must be below high, got 1 and 0; a fixed value is given as itself
    """

    low: float
    high: float
    log: bool = False
    near_one: bool = False
    kind: ClassVar[str] = "float"

    def __post_init__(self) -> None:
        low, high = self._checked(whole=False)
        if self.log and self.near_one:
            raise BadValueError("Float: log and near_one exclude each other")
        if self.log and low <= 0:
            raise BadValueError(f"Float: with log=True low must be above 0, got {low:g}")
        if self.near_one and high >= 1:
            raise BadValueError(f"Float: with near_one=True high must be below 1, got {high:g}")

    def check(self, name: str, value: Any) -> float:
        return self._within(name, value, whole=False)

    def _inner(self, x: float) -> float:
        return math.log10(x) if self.log else -math.log10(1 - x) if self.near_one else x

    def unit(self, value: Any) -> float:
        low, high = self._inner(self.low), self._inner(self.high)
        return min(max((self._inner(float(value)) - low) / (high - low), 0.0), 1.0)

    def at(self, u: float) -> float:
        low, high = self._inner(self.low), self._inner(self.high)
        inner = low + min(max(u, 0.0), 1.0) * (high - low)
        value = 10**inner if self.log else 1 - 10**-inner if self.near_one else inner
        return float(f"{min(max(value, self.low), self.high):.12g}")  # what is written is what is run

    @property
    def scale(self) -> str:
        return "log" if self.log else "near_one" if self.near_one else "linear"


@dataclass(frozen=True)
class Int(_Range):
    """A whole number in [low, high]: evenly, in the logarithm (`log`), or powers of two alone (`powers`).

    >>> Int(16, 256, powers=True).grid(9)
    [16, 32, 64, 128, 256]
    """

    low: int
    high: int
    log: bool = False
    powers: bool = False
    kind: ClassVar[str] = "int"

    def __post_init__(self) -> None:
        low, high = self._checked(whole=True)
        if self.log and low < 1:
            raise BadValueError(f"Int: with log=True low must be at least 1, got {low:g}")
        if self.powers and not all(v >= 1 and math.log2(v).is_integer() for v in (low, high)):
            raise BadValueError(f"Int: with powers=True low and high must be powers of two, got {low:g} and {high:g}")

    def check(self, name: str, value: Any) -> int:
        number = int(self._within(name, value, whole=True))
        if self.powers and not math.log2(number).is_integer():
            raise BadValueError(f"{name} must be a power of two in [{self.low}, {self.high}], got {value!r}")
        return number

    def _ends(self) -> tuple[float, float]:
        """The scale's ends: half a number beyond the range, so that each number has its share."""
        if self.powers:
            return math.log2(self.low) - 0.5, math.log2(self.high) + 0.5
        low, high = self.low - 0.5, self.high + 0.5
        return (math.log(low), math.log(high)) if self.log else (low, high)

    def unit(self, value: Any) -> float:
        low, high = self._ends()
        inner = math.log2(value) if self.powers else math.log(value) if self.log else float(value)
        return (inner - low) / (high - low)

    def at(self, u: float) -> int:
        low, high = self._ends()
        inner = low + min(max(u, 0.0), 1.0) * (high - low)
        value = 2 ** round(inner) if self.powers else round(math.exp(inner) if self.log else inner)
        return min(max(value, self.low), self.high)

    @property
    def count(self) -> int:
        return round(math.log2(self.high / self.low)) + 1 if self.powers else self.high - self.low + 1

    @property
    def scale(self) -> str:
        return "log" if self.log or self.powers else "linear"


@dataclass(frozen=True)
class Categorical(Param):
    """One of a few values: text, numbers, True, False or None.

    >>> Categorical(["relu", "tanh"]).at(0.7)
    'tanh'
    """

    choices: Sequence[Value]
    kind: ClassVar[str] = "categorical"

    def __post_init__(self) -> None:
        if isinstance(self.choices, str) or not isinstance(self.choices, Sequence):
            raise BadValueError(f"Categorical: choices must be a list, got {self.choices!r}")
        for choice in self.choices:
            if choice is not None and not isinstance(choice, bool | int | float | str):
                raise BadValueError(f"Categorical: a choice must be text, a number, True, False or None, got {choice!r}")
        if not self.choices or len({(type(c), c) for c in self.choices}) != len(self.choices):
            raise BadValueError(f"Categorical: name at least one choice, each once; got {list(self.choices)!r}")
        object.__setattr__(self, "choices", tuple(self.choices))

    def _place(self, value: Any) -> int | None:
        return next((i for i, c in enumerate(self.choices) if type(c) is type(value) and c == value), None)

    def check(self, name: str, value: Any) -> Value:
        if self._place(value) is None:
            raise BadValueError(f"{name} must be one of {', '.join(map(repr, self.choices))}, got {value!r}")
        return value  # type: ignore[no-any-return]

    def unit(self, value: Any) -> float:
        return ((self._place(value) or 0) + 0.5) / len(self.choices)

    def at(self, u: float) -> Value:
        return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]

    def grid(self, points: int) -> list[Value]:
        return list(self.choices)

    @property
    def count(self) -> int:
        return len(self.choices)

    @property
    def scale(self) -> str:
        return "choice"
