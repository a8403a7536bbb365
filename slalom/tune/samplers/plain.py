"""Random and grid search, as functions of (seed, index): no point is lost or tried twice, however often a search is resumed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from slalom.core.errors import BadValueError
from slalom.tune.samplers.base import Asked, Past
from slalom.tune.space.space import Config, Space

MOST = 1_000_000  # points of a grid that are counted out


class RandomSearch:
    """Point number i is `space.random(seed, i)`."""

    name = "random"

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.seed = space, seed

    def ask(self, count: int, history: Sequence[Past]) -> list[Asked]:
        start = len(history)
        return [Asked(self.space.random(self.seed, start + i)) for i in range(count)]


class GridSearch:
    """Every combination of `points` values of each parameter, in an order shuffled by the seed; combinations that differ only in
    what is not in use count once."""

    name = "grid"

    def __init__(self, space: Space, seed: int, points: int) -> None:
        sizes = [len(p.grid(points)) for p in space.params.values()]
        if math.prod(sizes) > MOST:
            raise BadValueError(
                f"the grid has {math.prod(sizes):.3g} points, {points} values of a number; vary less, or take another method"
            )
        self.points = list(self._distinct(space, points))
        self.order = np.random.Generator(np.random.Philox(key=np.array([seed, 1], dtype=np.uint64))).permutation(len(self.points))

    @staticmethod
    def _distinct(space: Space, points: int) -> Iterator[Config]:
        seen = set()
        for values in itertools.product(*(p.grid(points) for p in space.params.values())):
            point = dict(zip(space.params, values, strict=True))
            key = tuple(sorted((k, repr(v)) for k, v in space.active(point).items()))
            if key not in seen:
                seen.add(key)
                yield point

    def __len__(self) -> int:
        return len(self.points)

    def ask(self, count: int, history: Sequence[Past]) -> list[Asked]:
        start = sum(1 for past in history if not past.attrs.get("enqueued"))
        return [Asked(self.points[i]) for i in self.order[start : start + count].tolist()]


def grid_points(space: Space, trials: int) -> int:
    """The most values of each number with which the whole grid has at most `trials` points; at least 2."""
    points = 2
    while points < 1000:
        size = math.prod(len(p.grid(points + 1)) for p in space.params.values())
        if size > trials or size == math.prod(len(p.grid(points)) for p in space.params.values()):
            break
        points += 1
    return points
