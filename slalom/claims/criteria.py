"""What an effect must be for a claim to hold: fixed before the run, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from slalom.claims.outcome import Interval
from slalom.claims.words import T

State = Literal["held", "not seen", "reversed"]


@dataclass(frozen=True)
class Criterion:
    """The interval of effect `key` must lie between `low` and `high`; None: no bound on that side.

    `label`: what the effect is, with its unit. `role`: `"claim"`, or `"control"`: what must hold for the experiment to be able
    to tell anything, such as that a method outside a group of alike ones does differ.
    """

    key: str
    label: T
    low: float | None = None
    high: float | None = None
    role: Literal["claim", "control"] = "claim"

    def state(self, i: Interval) -> State:
        """Held: the whole interval lies inside. Reversed: all of it lies outside. Not seen: it straddles a bound."""
        low = -float("inf") if self.low is None else self.low
        high = float("inf") if self.high is None else self.high
        if (i.low > low and i.high < high) or (i.n == 1 and low <= i.mean <= high):
            return "held"
        return "reversed" if i.high <= low or i.low >= high else "not seen"

    @property
    def asked(self) -> str:
        """The bound in signs.

        >>> above("gain", T("gain", "增益")).asked, within("d", T("d", "d"), 1).asked
        ('> 0', 'in (-1, 1)')
        """
        if self.low is None:
            return f"< {self.high:g}"
        if self.high is None:
            return f"> {self.low:g}"
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return f"in ({self.low:g}, {self.high:g})" if half > 1e-6 * abs(middle) else f"{middle:g} +- {half:g}"

    @property
    def nearest(self) -> tuple[float, ...]:
        """Its bounds."""
        return tuple(b for b in (self.low, self.high) if b is not None)


def above(key: str, label: T, bound: float = 0.0) -> Criterion:
    """The effect, counted positive in the claimed direction, exceeds `bound`."""
    return Criterion(key, label, low=bound)


def below(key: str, label: T, bound: float) -> Criterion:
    """The effect, such as an error or a p-value's kin, stays under `bound`."""
    return Criterion(key, label, high=bound)


def within(key: str, label: T, margin: float, around: float = 0.0) -> Criterion:
    """The effect lies no further than `margin` from `around`: alike, or an exponent that theory names."""
    return Criterion(key, label, low=around - margin, high=around + margin)


def control(criterion: Criterion) -> Criterion:
    """The same criterion as a control."""
    return Criterion(criterion.key, criterion.label, criterion.low, criterion.high, "control")
