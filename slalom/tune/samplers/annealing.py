"""Simulated annealing on the scales from 0 to 1 (Kirkpatrick, Gelatt & Vecchi 1983), with a batch of neighbours a step.

The chain is read off the history: in the order of their numbers, a trial becomes the present point when it is better, or with
probability exp(-difference / T), T falling from the spread of the first batch to a hundredth of it. Neighbours differ in each
parameter by a normal step that shrinks with T, reflected at the ends; a choice changes with the same chance as the step is wide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from slalom.tune.samplers.base import Asked, Past
from slalom.tune.space.params import Categorical
from slalom.tune.space.space import Config, Space

COOLEST = 0.01
WIDEST, NARROWEST = 0.3, 0.03  # steps, in shares of the scale
START = 16  # random points before the first step


class Annealing:
    """See the module; `trials`: how many the schedule is laid out for."""

    name = "annealing"

    def __init__(self, space: Space, seed: int, trials: int) -> None:
        self.space, self.seed, self.trials = space, seed, max(trials, START + 1)

    def _random(self, index: int, purpose: int) -> np.random.Generator:
        key = np.array([self.seed, (index << 8) + purpose], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key))

    def _cooling(self, index: int) -> float:
        """1 at the start, `COOLEST` at the end."""
        return float(COOLEST ** min(max(index - START, 0) / (self.trials - START), 1.0))

    def present(self, history: Sequence[Past]) -> tuple[Config, float] | None:
        """Where the chain stands."""
        told = [p for p in history if p.value is not None]
        if len(told) < START:
            return None
        spread = float(np.std([float(p.value or 0.0) for p in told[:START]])) or 1.0
        best = min(told[:START], key=lambda p: p.value if p.value is not None else math.inf)
        point, value = best.point, float(best.value or 0.0)
        for past in told[START:]:
            merit = float(past.value or 0.0)
            warm = spread * self._cooling(past.number)
            if merit <= value or self._random(past.number, 1).random() < math.exp(-(merit - value) / warm):
                point, value = past.point, merit
        return point, value

    def ask(self, count: int, history: Sequence[Past]) -> list[Asked]:
        start = len(history)
        here = self.present(history)
        if here is None:
            return [Asked(self.space.random(self.seed, start + i)) for i in range(count)]
        return [Asked(self._neighbour(here[0], start + i)) for i in range(count)]

    def _neighbour(self, point: Config, index: int) -> Config:
        draw = self._random(index, 2)
        share = math.log(self._cooling(index)) / math.log(COOLEST)
        width = WIDEST * (NARROWEST / WIDEST) ** share
        made: Config = {}
        for name, param in self.space.params.items():
            step, change, fresh = draw.normal(), draw.random(), draw.random()
            if isinstance(param, Categorical):
                made[name] = param.at(fresh) if change < width else point[name]
                continue
            u = abs(param.unit(point[name]) + width * step) % 2.0
            made[name] = param.at(2.0 - u if u > 1 else u)
        return made
