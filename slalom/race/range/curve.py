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

    return Phases(
        _between(lrs, slow[-1]) if slow else None,
        _between(lrs, bad[0] - 1) if bad else None,
    )


def ruinous_from(lrs: Floats, losses: Floats, initial: float) -> float | None:
    """The rate from which on training ends above the loss before it, or not finite; None where the test saw no such rate.

    `phases` calls diverging what is 5 % of the drop above the least: the same where there is a cliff, less than ruin on a slope.

    >>> ruinous_from(np.array([0.01, 0.1, 1.0]), np.array([0.5, 0.6, 3.0]), 2.0)
    0.31622776601683794
    """
    best = int(np.argmin(losses))
    over = [i for i in range(best + 1, len(losses)) if not losses[i] <= initial]
    return _between(lrs, over[0] - 1) if over else None


def _between(lrs: Floats, i: int) -> float:
    """Midway, in log lr, to the next rate."""
    return float(np.sqrt(lrs[i] * lrs[i + 1]))
