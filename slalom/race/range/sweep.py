"""The classic one-pass test: one run a seed, its rate growing at every step; the loss before each update is the curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.race.range.heats import Floats, Run, Subject

WINDOW = 0.05  # half width of the centred average, of the number of steps
STOP = 4.0  # a seed ends where its loss has stayed above this many times the loss before training (fastai: of its least)
CHECK = 5  # steps between looks


@dataclass(frozen=True)
class Swept:
    """`losses [steps, seeds]`, infinite where a seed was stopped; `cost`: steps taken."""

    lrs: Floats
    losses: Floats
    cost: int


def rates(low: float, high: float, n: int, growth: str) -> Floats:
    """`n` rates from `low` to `high`: each a fixed factor over the last ("exponential"), or a fixed step ("linear")."""
    return np.geomspace(low, high, n) if growth == "exponential" else np.linspace(low, high, n)


def sweep(subject: Subject, lrs: Floats, seeds: list[int], stop: float = STOP) -> Swept:
    """Trains until every seed has run through the rates or diverged."""
    base = float(lrs[0])
    heat = subject.start([Run(base, seed, lambda t: float(lrs[t]) / base) for seed in seeds])
    losses = np.full((len(lrs), len(seeds)), np.inf)
    going, t, cost = list(range(len(seeds))), 0, 0
    while t < len(lrs) and going:
        n = min(CHECK, len(lrs) - t)
        losses[t : t + n, going] = heat.advance(n)
        cost += n * len(going)
        t += n
        begin = losses[: max(3, CHECK)].mean(0)
        over = np.median(losses[max(t - 3, 0) : t], axis=0) > begin + (stop - 1) * np.abs(begin)
        kept = [seed for seed in going if not over[seed]]
        if kept and len(kept) < len(going):
            heat = heat.only([going.index(seed) for seed in kept])
        going = kept
    return Swept(lrs, losses, cost)
