"""A heat's batches: indices into the data, or, where lanes augment, blocks of changed batches with indices into those."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from slalom.data.record import Part
from slalom.nets.augmentation import Augment
from slalom.race.order import batches

BLOCK = 2**24  # numbers in a block of changed batches: 64 MB of float32

Block = tuple[Tensor, Tensor, list[Tensor]]


class Feed:
    """`orders`, `seeds`, `augments`: of each lane, what its order and its augmentation are drawn by.

    What is drawn depends on the lane's seed and the step alone, so lanes that share seed and order share the batch too.
    """

    def __init__(self, part: Part, batch: int, orders: list[int], seeds: list[int], augments: Sequence[Augment | None]) -> None:
        self.part, self.batch, self.orders = part, batch, orders
        self.augments = augments
        keys = list(zip(orders, seeds, map(id, augments), strict=True))
        self.first = {key: keys.index(key) for key in keys}  # of each kind of batch, the first lane that has it
        self.at = torch.tensor([list(self.first).index(key) for key in keys])
        self.seeds = seeds

    def epoch(self, epoch: int, step: int) -> Iterator[Block]:
        """Blocks `(x, y, indices)` of an epoch's steps, for `Lanes.epoch`; `step`: how many steps went before."""
        x, y = self.part.x, self.part.y
        if not any(self.augments):
            yield x, y, batches(self.orders, epoch, len(self.part), self.batch)
            return
        rows = [self.orders[i] for i in self.first.values()]
        every = batches(rows, epoch, len(self.part), self.batch)
        size = max(1, BLOCK // (len(self.first) * self.batch * max(x[0].numel(), 1)))
        for begin in range(0, len(every), size):
            yield self._block(every[begin : begin + size], step + begin)

    def _block(self, every: Sequence[Tensor], step: int) -> Block:
        xs, ys, indices, base = [], [], [], 0
        for t, index in enumerate(every):
            n = index.shape[-1]
            for k, i in enumerate(self.first.values()):
                own = index if index.dim() == 1 else index[k]
                x, y, augment = self.part.x[own], self.part.y[own], self.augments[i]
                if augment is not None:
                    x, y = augment(x, y, seed=self.seeds[i], step=step + t)
                xs.append(x)
                ys.append(y)
            indices.append(base + self.at[:, None] * n + torch.arange(n))
            base += len(self.first) * n
        return torch.cat(xs), torch.cat(ys), indices
