"""One step of a chunk's lanes over fixed tensors on the device: no number of it is read by the host.

What differs from step to step lies in tensors for a block of steps, of which each reads its own `place` and then moves that on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from slalom.engines.kernels import UPDATED
from slalom.engines.kernels.cuda.lane_kernel import LaneKernel, Rows
from slalom.engines.lanes.blocks import MOST_PLACES, MOST_STEPS
from slalom.engines.lanes.update import RuleUpdate

if TYPE_CHECKING:
    from slalom.engines.lanes.chunk import Chunk


class Block:
    """What the steps of a block read and write, for all lanes of a chunk; `coefficients`: of each rule's lanes."""

    def __init__(self, chunk: Chunk) -> None:
        n, device = len(chunk.lanes), chunk.params.device

        def new(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        self.place = new(1, dtype=torch.int64)
        self.live, self.taken = new(n, dtype=torch.bool), new(n, dtype=torch.int64)
        self.keys = new(MOST_STEPS, n, dtype=torch.int64)
        self.losses, self.squares = new(MOST_STEPS, n), new(MOST_STEPS, n)
        self.clip = None if chunk.clip is None else torch.from_numpy(chunk.clip).to(device)
        self.coefficients: list[Tensor] = []
        for rows, update in chunk.updates:
            assert isinstance(update, RuleUpdate)
            assert isinstance(update.kernel, LaneKernel)
            self.coefficients.append(new(MOST_STEPS, rows.stop - rows.start, update.kernel.width))

    def begin(self, live: np.ndarray, keys: Tensor, coefficients: Sequence[np.ndarray]) -> None:
        """Of a block of `len(keys)` steps."""
        steps = len(keys)
        self.place.zero_()
        self.taken.zero_()
        self.live.copy_(torch.from_numpy(live))
        self.keys[:steps].copy_(keys)
        for held, made in zip(self.coefficients, coefficients, strict=True):
            held[:steps].copy_(torch.from_numpy(np.ascontiguousarray(made)))


class Step:
    """A step of the rows `run` of a chunk on batches of one shape from x and y; `index`: where those of a block are put."""

    def __init__(self, chunk: Chunk, block: Block, x: Tensor, y: Tensor, shape: tuple[int, ...]) -> None:
        self.chunk, self.block, self.x, self.y = chunk, block, x, y
        self.per_lane = len(shape) == 2
        device, n = chunk.params.device, len(chunk.lanes)
        self.run = chunk.run.copy()
        self.all = len(self.run) == n
        self.rows = torch.from_numpy(self.run).to(device)
        steps = min(MOST_STEPS, max(1, MOST_PLACES // max(1, int(np.prod(shape)))))
        self.index = torch.zeros((steps, *shape), dtype=torch.int64, device=device)
        self.squares = torch.zeros(len(self.run), dtype=torch.float64, device=device)
        self.status = torch.zeros(len(self.run), dtype=torch.uint8, device=device)
        self.l2, self.l1 = (self._run_rows(s) for s in chunk.penalties.strengths(chunk.params.dtype))
        self.launches: list[Rows] = []
        for (rows, update), coefficients in zip(chunk.updates, block.coefficients, strict=True):
            assert isinstance(update, RuleUpdate)
            assert isinstance(update.kernel, LaneKernel)
            first, end = (int(k) for k in np.searchsorted(self.run, (rows.start, rows.stop)))
            if end > first:
                self.launches.append(update.kernel.rows(
                    chunk.params, update.states, self.rows, block.live, block.clip, coefficients=coefficients, place=block.place,
                    first=first, start=rows.start, count=end - first, squares=self.squares, status=self.status,
                ))  # fmt: skip
        self.of = self._tensors()

    def _tensors(self) -> list[Tensor]:
        chunk = self.chunk
        states = [s for _, update in chunk.updates if isinstance(update, RuleUpdate) for s in update.states.values()]
        return [chunk.params, *chunk.buffers.values(), *states]

    def fits(self, x: Tensor, y: Tensor, shape: tuple[int, ...]) -> bool:
        """Whether it is a step of these, for the rows that are to be run, and the chunk's tensors still lie where they lay."""
        now = self._tensors()
        there = len(now) == len(self.of) and all(a is b for a, b in zip(now, self.of, strict=True))
        data = _alike(self.x, x) and _alike(self.y, y) and tuple(self.index.shape[1:]) == shape
        return there and data and np.array_equal(self.run, self.chunk.run)

    def _run_rows(self, tensor: Tensor | None) -> Tensor | None:
        return tensor if tensor is None or self.all else tensor.index_select(0, self.rows)

    def _own(self, tensor: Tensor) -> Tensor:
        return tensor if self.all else tensor.index_select(0, self.rows)

    def __call__(self) -> None:
        chunk, block, at = self.chunk, self.block, self.block.place
        index = self.index.index_select(0, at)[0]
        x, y = (t.index_select(0, index.flatten()).view(*index.shape, *t.shape[1:]) for t in (self.x, self.y))
        keys, params = self._own(block.keys.index_select(0, at)[0]), self._own(chunk.params)
        held = {k: self._own(v) for k, v in chunk.buffers.items()}
        loss, grads, new = chunk.mechanism.gradients(params, held, x, y, keys, self.per_lane)
        if self.l2 is not None:  # product and sum apart, as on the processor
            grads = grads + self.l2 * params
        if self.l1 is not None:
            grads = grads + self.l1 * params.sign()
        loss, grads = loss.contiguous(), grads.contiguous()
        for rows in self.launches:
            rows.launch(grads, loss)
        before = self._own(block.live)
        stepped = before & (self.status == UPDATED)
        self._tell(block.losses, torch.where(before, loss.double(), torch.nan))
        self._tell(block.squares, torch.where(before, self.squares, torch.nan))
        self._put(block.live, stepped)
        self._put(block.taken, self._own(block.taken) + stepped)
        for k, v in new.items():
            if k not in chunk.frozen:
                self._put(chunk.buffers[k], torch.where(stepped.view(-1, *[1] * (v.dim() - 1)), v, held[k]))
        at.add_(1)

    def _put(self, whole: Tensor, part: Tensor) -> None:
        if self.all:
            whole.copy_(part)
        else:
            whole.index_copy_(0, self.rows, part)

    def _tell(self, block: Tensor, part: Tensor) -> None:
        """Of this step; NaN for lanes that are not run."""
        row = part if self.all else torch.full_like(block[0], torch.nan).index_copy(0, self.rows, part)
        block.index_copy_(0, self.block.place, row.unsqueeze(0))


def _alike(a: Tensor, b: Tensor) -> bool:
    """Whether what reads one of them by its address would read the other."""
    return a is b or (a.data_ptr(), a.shape, a.stride(), a.dtype) == (b.data_ptr(), b.shape, b.stride(), b.dtype)
