"""The classic suggestions from a one-pass curve, each under its name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from slalom.race.range.heats import Floats


def falling_part(losses: Floats) -> int:
    """Points up to and with the least finite loss: what lies beyond says nothing of where to start."""
    return int(np.argmin(np.where(np.isfinite(losses), losses, np.inf))) + 1


def steepest(lrs: Floats, losses: Floats) -> float | None:
    """The rate at which the loss falls fastest, per decade of the rate; None where it does not fall."""
    end = falling_part(losses)
    if end < 3:
        return None
    slope = np.gradient(losses[:end], np.log10(lrs[:end]))
    return float(lrs[int(np.argmin(slope))]) if slope.min() < 0 else None


def minimum_tenth(lrs: Floats, losses: Floats) -> float | None:
    """A tenth of the rate at which the loss is least; None where it is least at the start."""
    end = falling_part(losses)
    return float(lrs[end - 1] / 10) if end > 1 else None


def valley(lrs: Floats, losses: Floats) -> float | None:
    """Half way down the longest valley, after fastai: the longest run of ever lower points, of which others may lie between.

    fastai takes the run's start as its end minus its length, as if no point had been skipped; here the start is the run's
    first point. Its place is fastai's, `start + (end - start) // 3 + (end - start) // 6`.

    >>> valley(np.array([1.0, 2, 4, 8, 16, 32, 64]), np.array([3.0, 3.1, 2.5, 2.6, 2, 1, 5]))
    2.0
    """
    n = falling_part(losses)
    if n < 3:
        return None
    length, first = np.ones(n, dtype=int), np.arange(n)
    for i in range(1, n):
        earlier = np.flatnonzero(losses[:i] > losses[i])
        if len(earlier):
            best = earlier[int(np.argmax(length[earlier]))]
            length[i], first[i] = length[best] + 1, first[best]
    end = int(np.argmax(length))
    start = int(first[end])
    if length[end] < 2:
        return None
    return float(lrs[start + (end - start) // 3 + (end - start) // 6])


RULES: dict[str, Callable[[Floats, Floats], float | None]] = {
    "steepest": steepest,
    "minimum/10": minimum_tenth,
    "valley": valley,
}
