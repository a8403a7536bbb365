"""How figures are written on a terminal: numbers, times, learning rates, small curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-=+*%#"


def number(value: float, digits: int = 4) -> str:
    """Four decimals below ten, five significant digits from there; a dash where there is no number.

    >>> number(0.97222), number(1234.56), number(float("nan"))
    ('0.9722', '1234.6', '-')
    """
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    size = abs(value)
    if size and (size >= 1e6 or size < 10.0**-digits / 2):
        return f"{value:.{max(digits - 2, 1)}e}"
    return f"{value:.{digits}f}" if size < 10 else f"{value:.{max(digits - int(math.log10(size)), 0)}f}"


def spread(mean: float, sd: float) -> str:
    """Mean with its standard deviation; the mean alone where one seed gives no spread.

    >>> spread(0.9722, 0.0042), spread(0.9722, float("nan"))
    ('0.9722 ± 0.0042', '0.9722')
    """
    return number(mean) if math.isnan(sd) else f"{number(mean)} ± {number(sd)}"


def rate(lr: float) -> str:
    """A learning rate with at most three significant digits.

    >>> [rate(lr) for lr in (0.00177827941, 1e-4, 0.0316, 0.1, 17.8)]
    ['1.78e-3', '1e-4', '0.0316', '0.1', '17.8']
    """
    if lr == 0 or 0.01 <= abs(lr) < 1000:
        return f"{lr:.3g}"
    digits, exponent = f"{lr:.2e}".split("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any.

    >>> clock(61.4), clock(3723)
    ('1:01', '1:02:03')
    """
    if not math.isfinite(seconds):
        return "-:--"
    whole = int(seconds)
    minutes = f"{whole // 60 % 60:02d}" if whole >= 3600 else str(whole // 60)
    return (f"{whole // 3600}:" if whole >= 3600 else "") + f"{minutes}:{whole % 60:02d}"


def count(n: int, thing: str) -> str:
    """`1 lane`, `2 lanes`.

    >>> count(1, "lane"), count(297, "lane")
    ('1 lane', '297 lanes')
    """
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def spark(values: Iterable[float], low: float, high: float, *, missing: str = "x", bars: str = BARS) -> str:
    """One character a value between `low` and `high` (`low > high` turns it over); `missing` where it is not finite.

    >>> spark([0, 0.5, 1, float("nan")], 0, 1)
    '▁▅█x'
    """
    span = high - low
    marks = []
    for value in values:
        if not math.isfinite(value):
            marks.append(missing)
            continue
        share = (value - low) / span if span else 1.0
        marks.append(bars[min(max(math.floor(share * len(bars)), 0), len(bars) - 1)])
    return "".join(marks)


def thin(values: Sequence[float], width: int) -> list[float]:
    """At most `width` of the values, evenly spaced, the last always among them.

    >>> thin([0.0, 1.0, 2.0, 3.0, 4.0], 3)
    [0.0, 2.0, 4.0]
    """
    n = len(values)
    if n <= width:
        return list(values)
    return [values[round(i * (n - 1) / (width - 1))] for i in range(width)] if width > 1 else [values[-1]]
