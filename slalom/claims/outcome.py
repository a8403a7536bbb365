"""What an experiment measured: effects with a value a seed, flags, and what its picture shows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from slalom.core.errors import BadValueError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and its Student t interval over seeds; a single value, as of an identity, is its own interval."""

    mean: float
    low: float
    high: float
    sd: float
    n: int


@cache
def student(share: float, degrees: int) -> float:
    """Student's quantile."""
    from scipy.stats import t

    return float(t.ppf(share, degrees))


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Mean and `confidence` interval of independent values, one a seed.

    >>> i = interval([1.0, 2.0, 3.0])
    >>> round(i.mean, 3), round(i.low, 3), round(i.high, 3)
    (2.0, -0.484, 4.484)
    """
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(mean, mean, mean, 0.0, 1)
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    half = student((1 + confidence) / 2, n - 1) * sd / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, sd, n)


@dataclass(frozen=True)
class Lines:
    """A small picture: `series` name -> values along `x`; NaN leaves a gap. `x_label`, `y_label`: English, Chinese."""

    x: tuple[float, ...]
    series: Mapping[str, tuple[float, ...]]
    x_label: tuple[str, str]
    y_label: tuple[str, str]
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Outcome:
    """`effects`: by the key of a criterion, one value a seed - the first set's, then as many of the second set - or a single
    value where nothing is random. `flags`: what the reader should know, such as a learning rate tuned to its grid's edge.
    `settings`: what was chosen on the way (learning rates). `lines`: the picture, where intervals alone do not show it.
    """

    effects: Mapping[str, tuple[float, ...]]
    flags: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    lines: Lines | None = None

    def __post_init__(self) -> None:
        for key, values in self.effects.items():
            if not values:
                raise BadValueError(f"the effect {key!r} has no value; give one a seed, or one in all")
            if len(values) > 1 and len(values) % 2:
                raise BadValueError(f"the effect {key!r} has {len(values)} values; two sets of seeds give an even number")
            wrong = [v for v in values if not math.isfinite(v)]
            if wrong:
                raise BadValueError(f"the effect {key!r} is {wrong[0]}; an experiment says what stands for a run that diverged")

    @property
    def seeded(self) -> bool:
        """Whether anything in it is random."""
        return any(len(v) > 1 for v in self.effects.values())

    def half(self, k: int) -> Outcome:
        """What the first (0) or the second (1) set of seeds alone shows."""
        cut = {key: v if len(v) == 1 else v[: len(v) // 2] if k == 0 else v[len(v) // 2 :] for key, v in self.effects.items()}
        made = object.__new__(Outcome)  # a half may have an odd number of seeds
        for name, value in (("effects", cut), ("flags", ()), ("settings", {}), ("lines", None)):
            object.__setattr__(made, name, value)
        return made

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)


def outcome_from(data: Mapping[str, Any]) -> Outcome:
    """The outcome that `to_dict` told, back from JSON."""
    lines = None
    if data["lines"] is not None:
        raw = dict(data["lines"])
        raw["x"] = tuple(float(v) for v in raw["x"])
        raw["series"] = {k: tuple(float(v) for v in values) for k, values in raw["series"].items()}
        raw["x_label"], raw["y_label"] = tuple(raw["x_label"]), tuple(raw["y_label"])
        lines = Lines(**raw)
    effects = {k: tuple(float(v) for v in values) for k, values in data["effects"].items()}
    return Outcome(effects, tuple(data["flags"]), data["settings"], lines)
