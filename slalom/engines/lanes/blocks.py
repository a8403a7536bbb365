"""A chunk's steps by blocks, where nothing between two steps needs Python: its lanes run in C and so do their rules.

What depends on the step alone - coefficients of the rules with their schedules, keys of dropout - is computed ahead for all
steps of a block. A lane that turns non-finite stops inside the block, at the very step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from slalom.engines.kernels import Kernel
from slalom.engines.kernels.cuda.lane_kernel import LaneKernel
from slalom.engines.kernels.kernel import StepInC
from slalom.engines.lanes.counter import lane_keys
from slalom.engines.lanes.factors import Floats
from slalom.engines.lanes.lane import Lane
from slalom.engines.lanes.native.block import Batches, Blocks, Rows, places
from slalom.engines.lanes.native.chain import Native
from slalom.engines.lanes.native.each import Each
from slalom.engines.lanes.update import Kernels, RuleUpdate, own_settings, stepped_by, thresholds

if TYPE_CHECKING:
    from slalom.engines.lanes.chunk import Chunk

MOST_STEPS = 64  # a block's: what a call costs is then spread over enough steps
MOST_PLACES = 2**22  # a block's: 32 MB of indices


def compiled(lane: Lane, kernels: Kernels) -> bool:
    """Whether this lane's rule, its penalty included, steps without Python, on the processor or a GPU."""
    own = own_settings([lane])
    if not own:
        return False
    stepped = stepped_by([lane])[0]
    return isinstance(kernels.get(stepped.program), Kernel | LaneKernel) and (
        not thresholds(lane) or stepped.program != own[0].program
    )


class BlockRun:
    """The blocks of one chunk; None from `of` where it has to go step by step."""

    def __init__(self, chunk: Chunk, mechanism: Native | Each) -> None:
        self.chunk = chunk
        self.blocks = Blocks(mechanism)
        self.kernels: dict[int, StepInC] = {}

    @classmethod
    def of(cls, chunk: Chunk) -> BlockRun | None:
        mechanism = chunk.mechanism
        rules = all(isinstance(u, RuleUpdate) and isinstance(u.kernel, Kernel) for _, u in chunk.updates)
        if not isinstance(mechanism, Native | Each) or not rules or chunk.penalties.responses:
            return None
        return cls(chunk, mechanism)

    def epoch(self, x: Tensor, y: Tensor, batches: Sequence[Tensor]) -> tuple[Floats, Floats]:
        """As `Chunk.epoch`."""
        done = [self._block(x, y, part) for part in alike(batches)]
        return np.concatenate([d[0] for d in done]), np.concatenate([d[1] for d in done])

    def _block(self, x: Tensor, y: Tensor, batches: Sequence[Tensor]) -> tuple[Floats, Floats]:
        c, n, steps, begin = self.chunk, len(self.chunk.lanes), len(batches), self.chunk.t
        losses, squares = torch.full((steps, n), math.nan, dtype=c.params.dtype), np.full((steps, n), np.nan)
        c.t += steps
        if c.alive.any():
            index = places(batches, len(x))
            x, y = self.blocks.data(x, y, index.shape[-1], c.buffers)
            keys = lane_keys(c.seeds, np.arange(begin + 1, c.t + 1)[:, None]).numpy()
            self._run(Batches(x, y, index, keys, losses, squares), begin)
        return losses.double().numpy(), np.sqrt(squares)

    def _run(self, given: Batches, begin: int) -> None:
        c, steps = self.chunk, len(given.keys)
        chain = self.blocks.company.chains_of(len(c.lanes), c.buffers, tuple(given.x.shape[1:]))[0]
        c.buffers = {k: v.clone() if k in chain.norms else v for k, v in c.buffers.items()}
        before, live, taken = c.alive.copy(), c.alive.astype(np.uint8), np.zeros(len(c.lanes), np.int64)
        try:
            for at, update in c.updates:
                assert isinstance(update, RuleUpdate)
                coefficients, scalars = update.ahead(begin, steps)
                l2, l1 = (None if s is None else s[at] for s in c.penalties.strengths(c.params.dtype))
                clip = None if c.clip is None else c.clip[at]
                buffers = {k: v[at] for k, v in c.buffers.items()}
                states = [update.states[k] for k in self._kernel(update).states]
                rows = Rows(
                    at.start, c.params[at], buffers, live[at], taken[at], self._kernel(update), states, coefficients, clip, l2, l1
                )
                self.blocks.run(given, rows)
                update.settle(scalars, taken[at])
        finally:
            for k in chain.counters:
                c.buffers[k] = c.buffers[k] + torch.from_numpy(taken)
            for i in np.flatnonzero(before & (live == 0)):
                step = int(taken[i])
                c.retire(int(i), begin + step + 1, float(given.losses[step, i]), float(np.sqrt(given.squares[step, i])))

    def _kernel(self, update: RuleUpdate) -> StepInC:
        if id(update) not in self.kernels:
            assert isinstance(update.kernel, Kernel)
            self.kernels[id(update)] = update.kernel.in_c(self.chunk.params.shape[1])
        return self.kernels[id(update)]


def alike(batches: Sequence[Tensor]) -> Iterator[Sequence[Tensor]]:
    """Runs of batches of one shape, not too long."""
    begin = 0
    for k in range(1, len(batches) + 1):
        most = min(MOST_STEPS, max(1, MOST_PLACES // max(1, batches[begin].numel())))
        if k == len(batches) or k - begin == most or batches[k].shape != batches[begin].shape:
            yield batches[begin:k]
            begin = k
