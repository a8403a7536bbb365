"""The batches that runs are trained on: a function of (seed, step), drawn from data of ours or from any DataLoader."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from slalom.core.errors import BadDataError
from slalom.data.record import Part
from slalom.race.order import batches, permutation


class Stream(Protocol):
    """`batch`: one seed's batch at a step. `feed`: inputs, targets and a step's row numbers each, as lanes take them."""

    per_epoch: int

    def batch(self, seed: int, step: int) -> Any: ...

    def feed(self, seeds: Sequence[int], first: int, last: int) -> tuple[Tensor, Tensor, list[Tensor]]: ...


class Rows:
    """Batches of a training part, in the order that a race would see them."""

    def __init__(self, part: Part, batch_size: int) -> None:
        self.part = part
        self.size = min(batch_size, len(part))
        self.per_epoch = -(-len(part) // self.size)

    def batch(self, seed: int, step: int) -> tuple[Tensor, Tensor]:
        epoch, k = divmod(step, self.per_epoch)
        index = permutation(seed, epoch, len(self.part))[k * self.size : (k + 1) * self.size]
        return self.part.x[index], self.part.y[index]

    def feed(self, seeds: Sequence[int], first: int, last: int) -> tuple[Tensor, Tensor, list[Tensor]]:
        made: list[Tensor] = []
        for epoch in range(first // self.per_epoch, -(-last // self.per_epoch)):
            begin = epoch * self.per_epoch
            every = batches(list(seeds), epoch, len(self.part), self.size)
            made += every[max(first - begin, 0) : last - begin]
        return self.part.x, self.part.y, made


class Loader:
    """Batches of a DataLoader, drawn one after another and kept: a seed's next batch is the loader's next.

    So all runs of a seed see the same batches, and seeds see others. A smaller last batch of an epoch is passed over.
    """

    def __init__(self, loader: DataLoader[Any]) -> None:
        if isinstance(loader.dataset, IterableDataset):
            raise BadDataError(
                "this DataLoader reads an IterableDataset, whose place cannot be put back afterwards; give a map-style "
                "Dataset, or a fresh loader's batches as a DataLoader over a list of them with batch_size=None"
            )
        self.loader = copy.copy(loader)
        self.loader._iterator = None  # workers that the caller keeps alive are not ours to draw from
        self.kept: dict[int, list[Any]] = {}
        self.iterator: Iterator[Any] = iter(())
        self.shape: tuple[int, ...] | None = None
        self.per_epoch = len(loader)
        if self.per_epoch == 0:
            raise BadDataError("the DataLoader is empty: it gives no batch")

    def _next(self) -> Any:
        for _ in range(2 * self.per_epoch + 2):
            batch = next(self.iterator, None)
            if batch is None:
                self.iterator = iter(self.loader)
                continue
            rows = _rows(batch)
            if self.shape is None or rows is None or rows == self.shape[0]:
                self.shape = self.shape or (None if rows is None else (rows,))
                return batch
        raise BadDataError("the DataLoader gives batches of ever other sizes; give it one batch_size")

    def batch(self, seed: int, step: int) -> Any:
        own = self.kept.setdefault(seed, [])
        while len(own) <= step:
            own.append(self._next())
        return own[step]

    def feed(self, seeds: Sequence[int], first: int, last: int) -> tuple[Tensor, Tensor, list[Tensor]]:
        distinct = list(dict.fromkeys(seeds))
        pairs = [pair(self.batch(seed, step)) for seed in distinct for step in range(first, last)]
        x, y = torch.cat([p[0] for p in pairs]), torch.cat([p[1] for p in pairs])
        size, steps = len(pairs[0][0]), last - first
        rows = torch.arange(len(x)).view(len(distinct), steps, size)
        if len(distinct) == 1:
            return x, y, list(rows[0])
        which = torch.tensor([distinct.index(seed) for seed in seeds])
        return x, y, [rows[which, k] for k in range(steps)]


def _rows(batch: Any) -> int | None:
    """Samples in a batch, where that can be told."""
    if isinstance(batch, Tensor):
        return len(batch) if batch.dim() else None
    if isinstance(batch, dict):
        batch = list(batch.values())
    if isinstance(batch, list | tuple) and batch:
        return _rows(batch[0])
    return None


def pair(batch: Any) -> tuple[Tensor, Tensor]:
    """A batch as inputs and targets; BadDataError where it is something else."""
    if isinstance(batch, list | tuple) and len(batch) == 2 and all(isinstance(part, Tensor) for part in batch):
        return batch[0], batch[1]
    what = f"{type(batch).__name__} of {len(batch)}" if isinstance(batch, list | tuple | dict) else type(batch).__name__
    raise BadDataError(
        f"batches must be pairs of tensors (inputs, targets), got a {what}; give step= to train on batches of this kind"
    )
