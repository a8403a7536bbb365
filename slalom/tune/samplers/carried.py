"""What a trial that was stopped at a rung would have come to: its value, carried on by those that went on.

From each rung to the next the values of those that went on change by some ratio; the median of these ratios stands for all. So
trials that were trained for one epoch and for 27 have a place in one order. Optuna puts every trial that was trained to its end
before every one that was not: in a search by halving the best of a poor batch then count among the good ones.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from slalom.tune.samplers.base import Past


def carried(history: Sequence[Past]) -> dict[int, float]:
    """What each trial that has ended is worth, by its number.

    >>> Past(0, {}, 0.2, 9, True, curve=((3, 0.4), (9, 0.2))).number
    0
    >>> ended = [Past(0, {}, 0.2, 9, True, curve=((3, 0.4), (9, 0.2))), Past(1, {}, 0.5, 3, curve=((3, 0.5),))]
    >>> carried(ended)
    {0: 0.2, 1: 0.25}
    """
    steps: dict[tuple[int, int], list[float]] = {}
    for past in history:
        for (a, before), (b, after) in zip(past.curve, past.curve[1:], strict=False):
            if before > 0 and after > 0:
                steps.setdefault((a, b), []).append(math.log(after / before))
    change = {a: (b, statistics.median(logs)) for (a, b), logs in sorted(steps.items())}
    out = {}
    for past in history:
        if past.value is None:
            continue
        value, epoch = past.value, past.epoch
        while not past.finished and epoch in change:
            epoch, log = change[epoch]
            value *= math.exp(log)
        out[past.number] = value
    return out
