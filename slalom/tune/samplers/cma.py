"""CMA-ES (Hansen & Ostermeier 2001) by the library `cmaes`, on the scales from 0 to 1.

Its state is not stored: it is worked out again from the history, generation by generation, which is a matter of milliseconds
and needs no pickled object in a file. Choices have no distance, so they are drawn at random, weighted to those that did well.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from slalom.core.errors import BadValueError
from slalom.tune.samplers.base import Asked, Past
from slalom.tune.space.params import Categorical
from slalom.tune.space.space import Space

SIGMA = 0.25  # the first step, a quarter of each scale
ELITE = 0.25  # the share of a generation that choices are learned from
LEARN = 0.3  # how far the chances of choices move a generation


class CMA:
    """See the module; `size`: points a generation."""

    name = "cma"

    def __init__(self, space: Space, seed: int, size: int) -> None:
        self.space, self.seed, self.size = space, seed, max(size, 4)
        self.numbers = [k for k, p in space.params.items() if not isinstance(p, Categorical)]
        self.choices = {k: p for k, p in space.params.items() if isinstance(p, Categorical)}
        if len(self.numbers) < 2:
            raise BadValueError(f"cma needs at least two numbers to vary, got {len(self.numbers)}; take method='bayesian'")

    def _optimizer(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from cmaes import CMA as Library  # type: ignore[import-untyped]
        n = len(self.numbers)
        bounds = np.stack([np.zeros(n), np.ones(n)], axis=1)
        return Library(np.full(n, 0.5), SIGMA, bounds=bounds, seed=self.seed % 2**31, population_size=self.size)

    def ask(self, count: int, history: Sequence[Past]) -> list[Asked]:
        """`count` points of the generation under way, which ends when `size` of its points are told."""
        chances = {k: np.full(len(p.choices), 1 / len(p.choices)) for k, p in self.choices.items()}
        made = self._optimizer()
        told = [p for p in history if p.value is not None]
        generations = [told[i : i + self.size] for i in range(0, len(told) - len(told) % self.size, self.size)]
        for generation in generations:
            rows = [np.array([self.space[k].unit(p.point[k]) for k in self.numbers]) for p in generation]
            made.tell([(row, float(p.value or 0.0)) for row, p in zip(rows, generation, strict=True)])
            best = sorted(generation, key=lambda p: float(p.value or 0.0))[: max(1, int(ELITE * self.size))]
            for k, param in self.choices.items():
                seen = np.array([sum(p.point[k] == c for p in best) for c in param.choices]) / len(best)
                chances[k] = (1 - LEARN) * chances[k] + LEARN * seen
        made._rng = np.random.RandomState((self.seed * 7919 + len(history)) % 2**31)
        draw = np.random.Generator(np.random.Philox(key=np.array([self.seed, len(history)], dtype=np.uint64)))
        out = []
        for _ in range(count):
            places = dict(zip(self.numbers, made.ask().tolist(), strict=True))
            point = {k: self.space[k].at(u) for k, u in places.items()}
            point |= {k: p.choices[int(draw.choice(len(p.choices), p=chances[k]))] for k, p in self.choices.items()}
            out.append(Asked({k: point[k] for k in self.space.params}))
        return out
