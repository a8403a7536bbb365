"""Losses of rates that were trained for different numbers of steps, made comparable: what phases are cut from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slalom.race.range.allocation import Board
from slalom.race.range.heats import Floats

LEAST = 4  # steps: the loss of fewer says nothing of how far a rate gets


def alike(board: Board, rungs: Sequence[int], tail: float) -> Floats:
    """Each rung's loss (median over seeds), as if all had been trained for as many steps as the longest.

    A rate that was set aside early has fallen less than the best, whatever it is worth: it had less time. Below the best rate,
    `n` steps at `lr` go about as far as `n / k` at `k lr`: a higher rate's losses, early in its run, stand in for those
    that a lower one never got to. Above it, a rate differs from the best by as much as after as many steps of both.
    """
    looks = [board.looks[r] for r in rungs]
    most = max(len(look.losses) for look in looks)

    def at(i: int, steps: int) -> float:
        n = max(2, round(steps * tail))
        return float(np.median(looks[i].losses[max(steps - n, 0) : steps].mean(0)))

    own = np.array([at(i, len(look.losses)) for i, look in enumerate(looks)])
    longest = [i for i, look in enumerate(looks) if len(look.losses) > most / 2]
    best = min(longest, key=lambda i: own[i])
    made = own.copy()
    for i in range(best):
        if len(looks[i].losses) == most:
            continue  # nothing stands in for what was seen
        for k in range(i, best + 1):
            steps = min(len(looks[k].losses), round(most * looks[i].lr / looks[k].lr))
            if steps >= LEAST:
                made[i] = min(made[i], at(k, steps))
    for i in range(best + 1, len(looks)):
        steps = len(looks[i].losses)
        made[i] = own[best] + own[i] - at(best, min(steps, len(looks[best].losses)))
    return made
