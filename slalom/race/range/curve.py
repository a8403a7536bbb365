"""Curves of loss over learning rate: smoothed without lag, cut into phases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.race.range.heats import Floats

SHARE = 0.05  # of the whole drop: slow below it, diverging where the loss is that much above its least

TOO_SLOW, USEFUL, DIVERGING = "too slow", "useful", "diverging"


@dataclass(frozen=True)
class Phases:
    """Rates below `slow_below` are too slow, from `diverging_from` on they diverge, between they are useful.

    Either is None where the test saw no such rate.
    """

    slow_below: float | None
    diverging_from: float | None

    def of(self, lr: float) -> str:
        """The phase that a rate lies in.

        >>> Phases(1e-3, 1.0).of(0.1)
        'useful'
        """
        if self.slow_below is not None and lr < self.slow_below:
            return TOO_SLOW
        if self.diverging_from is not None and lr >= self.diverging_from:
            return DIVERGING
        return USEFUL


def centred(values: Floats, half_width: int) -> Floats:
    """A triangular average of the values up to `half_width` on both sides, fewer alike on both sides near the ends.

    A minimum stays where it is. (An exponential average looks back only: .98 over 100 steps of a test puts it three times
    too high.) A window that holds an infinite value is infinite.

    >>> centred(np.array([4.0, 1.0, 4.0, 4.0, 4.0]), 1)
    array([4.  , 2.5 , 3.25, 4.  , 4.  ])
    """
    n = len(values)
    made = np.empty(n)
    for i in range(n):
        reach = min(half_width, i, n - 1 - i)
        weights = 1.0 + reach - np.abs(np.arange(-reach, reach + 1))
        made[i] = (values[i - reach : i + reach + 1] * weights).sum() / weights.sum()
    return made


def phases(lrs: Floats, losses: Floats, initial: float) -> Phases:
    """Phases of one curve: rates ascending, smoothed losses after as many steps each, and the loss before training.

    Slow ends above the last rate, on the way to the least loss, that falls by less than SHARE of the whole drop (not above the
    first that falls by more: noise alone does that); diverging starts at the first rate above the least whose loss is more than
    SHARE of the drop above it. A boundary lies midway, in log lr, between the two rates that it parts.
    """
    best = int(np.argmin(losses))
    drop = initial - losses[best]
    if not np.isfinite(drop) or drop <= 0:
        return Phases(None, None)
    slow = [i for i in range(best) if initial - losses[i] < SHARE * drop]
    bad = [i for i in range(best + 1, len(losses)) if not losses[i] - losses[best] <= SHARE * drop]

    def between(i: int, j: int) -> float:
        return float(np.sqrt(lrs[i] * lrs[j]))

    return Phases(
        between(slow[-1], slow[-1] + 1) if slow else None,
        between(bad[0] - 1, bad[0]) if bad else None,
    )
