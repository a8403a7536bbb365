"""The per-epoch variant: an epoch at each rate, the rates growing from epoch to epoch."""

from __future__ import annotations

import numpy as np

from slalom.race.range.heats import Floats, Run, Subject
from slalom.race.range.sweep import Swept


def epochs(subject: Subject, lrs: Floats, seeds: list[int], by: str) -> Swept:
    """One value an epoch and a seed: the mean training loss, or after it the share of samples classified wrongly."""
    per, base = subject.per_epoch, float(lrs[0])
    heat = subject.start([Run(base, seed, lambda t: float(lrs[min(t // per, len(lrs) - 1)]) / base) for seed in seeds])
    values = np.full((len(lrs), len(seeds)), np.inf)
    for k in range(len(lrs)):
        loss = heat.advance(per).mean(0)
        values[k] = loss
        if by == "accuracy":
            values[k] = np.where(np.isfinite(loss), 1.0 - np.nan_to_num(heat.accuracy(), nan=-np.inf), np.inf)
        if not np.isfinite(values[k]).any():
            return Swept(lrs, values, (k + 1) * per * len(seeds))
    return Swept(lrs, values, len(lrs) * per * len(seeds))
