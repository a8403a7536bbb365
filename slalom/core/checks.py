"""What arguments must be, each kind of check and its message written once."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from slalom.core.errors import BadValueError

if TYPE_CHECKING:
    from torch import nn

_SPAN = re.compile(r"([\[(])(\S+), (\S+)([\])])")


def whole(value: Any, name: str, least: int, most: int | None = None, *, way_out: str = "") -> int:
    """A whole number (True and 1.0 are none). Errors: `BadValueError` with `name`, the value, what is allowed and the `way_out`.

    >>> whole(3, "Lookahead: k", 1)
    3
    >>> whole(True, "frames", 1, 2000)
    Traceback (most recent call last):
    slalom.core.errors.BadValueError: frames must be a whole number in 1..2000, got True
    """
    good = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not good or value < least or (most is not None and value > most):
        allowed = f">= {least}" if most is None else f"in {least}..{most}"
        raise BadValueError(f"{name} must be a whole number {allowed}{way_out}, got {value!r}")
    return int(value)


def number(value: Any, name: str, span: str, *, kind: str = "a number", way_out: str = "") -> float:
    """A real number in `span`, an interval such as "[0, inf)"; NaN is in none.

    >>> number(0.5, "EMA: decay", "[0, 1)")
    0.5
    >>> number(1, "EMA: decay", "[0, 1)")
    Traceback (most recent call last):
    slalom.core.errors.BadValueError: EMA: decay must be a number in [0, 1), got 1
    """
    low, high, with_low, with_high = _ends(span)
    good = isinstance(value, int | float | np.number) and not isinstance(value, bool | np.complexfloating)
    if not good or not ((low <= value if with_low else low < value) and (value <= high if with_high else value < high)):
        raise BadValueError(f"{name} must be {kind} in {span}{way_out}, got {value!r}")
    return float(value)


def yes_or_no(value: Any, name: str) -> bool:
    """A bool."""
    if not isinstance(value, bool):
        raise BadValueError(f"{name} must be True or False, got {value!r}")
    return value


def nn_module(value: Any, name: str) -> nn.Module:
    """A torch module."""
    from torch import nn

    if not isinstance(value, nn.Module):
        raise BadValueError(f"{name} must be an nn.Module, got {type(value).__name__}")
    return value


@functools.cache
def _ends(span: str) -> tuple[float, float, bool, bool]:
    found = _SPAN.fullmatch(span)
    assert found is not None, span
    opening, low, high, closing = found.groups()
    return float(low), float(high), opening == "[", closing == "]"
