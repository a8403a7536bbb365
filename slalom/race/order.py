"""The order in which a lane sees its data: a function of (seed, epoch), the same in every process."""

from __future__ import annotations

import torch
from torch import Tensor

from slalom.engines.lanes.counter import lane_key

_ORDER = 0x0DD5EED5  # keeps the order apart from initialisation and dropout, which draw by the same seed


def permutation(seed: int, epoch: int, n: int) -> Tensor:
    """The order `[n]` of the training samples in an epoch (counted from 0)."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(lane_key(seed ^ _ORDER, epoch)))


def batches(seeds: list[int], epoch: int, n: int, batch_size: int) -> list[Tensor]:
    """Batches of indices for lanes with these data seeds: `[batch]` where all share one, else `[lanes, batch]`.

    The last batch of an epoch is smaller when `batch_size` does not divide `n`.
    """
    distinct = {seed: permutation(seed, epoch, n) for seed in dict.fromkeys(seeds)}
    if len(distinct) == 1:
        return list(torch.split(distinct[seeds[0]], batch_size))
    stacked = torch.stack([distinct[s] for s in seeds])
    return [part.contiguous() for part in torch.split(stacked, batch_size, dim=1)]
