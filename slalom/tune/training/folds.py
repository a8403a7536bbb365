"""k-fold validation: the rows of the training and validation parts, each held out once by one of k lanes of a configuration.

All k are trained on equally many rows, so that their steps go together: where the rows do not divide, the larger training sets
leave out one row. What was worked out from the training part alone, such as the scale of the inputs, stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from slalom.core.errors import BadValueError
from slalom.data.record import Data, Part
from slalom.nets.augmentation import Augment
from slalom.race.order import batches

_FOLDS = 0x0F01D5


@dataclass(frozen=True)
class Folds:
    """`train [k, rows]`: rows of `pool` that each fold's lane is trained on; `val`: those that it is measured on."""

    pool: Part
    train: Tensor
    val: tuple[Tensor, ...]

    @classmethod
    def of(cls, data: Data, count: int, seed: int) -> Folds:
        """The pool in `count` parts of nearly the same size, drawn by the seed of the split."""
        pool = pooled(data).train
        n = len(pool)
        if not 2 <= count <= n:
            raise BadValueError(f"folds must be in [2, {n} rows of training and validation], got {count!r}")
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed ^ _FOLDS))
        val = tuple(part.sort().values for part in torch.tensor_split(order, count))
        least = n - max(map(len, val))
        train = [torch.cat([p for k, p in enumerate(val) if k != held])[:least] for held in range(count)]
        return cls(pool, torch.stack(train), val)

    def __len__(self) -> int:
        return len(self.val)


def pooled(data: Data) -> Data:
    """The same data with the validation rows among those to train on."""
    from dataclasses import replace

    return replace(data, train=Part(torch.cat([data.train.x, data.val.x]), torch.cat([data.train.y, data.val.y])))


class FoldFeed:
    """Batches of the lanes of some members, each member's folds beside each other; see `slalom.race.variants.feed.Feed`."""

    def __init__(
        self, folds: Folds, batch: int, orders: Sequence[int], seeds: Sequence[int], augments: Sequence[Augment | None]
    ) -> None:
        self.folds, self.batch, self.orders, self.seeds, self.augments = folds, batch, list(orders), seeds, augments

    def epoch(self, epoch: int, step: int) -> Iterator[tuple[Tensor, Tensor, list[Tensor]]]:
        """Blocks `(x, y, indices [lanes, batch])` of an epoch's steps; one block without augmentation, else one a step."""
        k, pool = len(self.folds), self.folds.pool
        every = [self._rows(b) for b in batches(self.orders, epoch, self.folds.train.shape[1], self.batch)]
        if not any(self.augments):
            yield pool.x, pool.y, every
            return
        for t, index in enumerate(every):
            xs, ys = [], []
            for lane, own in enumerate(index):
                x, y, augment = pool.x[own], pool.y[own], self.augments[lane // k]
                if augment is not None:
                    x, y = augment(x, y, seed=self.seeds[lane // k], step=step + t)
                xs.append(x)
                ys.append(y)
            yield torch.cat(xs), torch.cat(ys), [torch.arange(index.numel()).view(index.shape)]

    def _rows(self, index: Tensor) -> Tensor:
        """Rows of the pool `[lanes, batch]` from places in a fold's training set: `[batch]`, or `[members, batch]`."""
        own = index.expand(len(self.orders), -1) if index.dim() == 1 else index
        return torch.stack([train[i] for i in own for train in self.folds.train])
