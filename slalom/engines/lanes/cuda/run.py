"""The blocks of steps of one chunk on a device: what they need is sent at once, what they tell is fetched at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from slalom.engines.kernels.cuda.lane_kernel import LaneKernel
from slalom.engines.lanes.blocks import alike
from slalom.engines.lanes.counter import lane_keys
from slalom.engines.lanes.cuda.graph import Replayed
from slalom.engines.lanes.cuda.stage import Stage
from slalom.engines.lanes.cuda.step import Block, Step
from slalom.engines.lanes.factors import Floats
from slalom.engines.lanes.native.block import places
from slalom.engines.lanes.update import RuleUpdate, TorchUpdate

if TYPE_CHECKING:
    from slalom.engines.lanes.chunk import Chunk

MOST_STEPS_KEPT = 4  # shapes of batches and data at a time, each with its graph


def why_step_by_step(chunk: Chunk) -> str | None:
    """Why this chunk's steps cannot be run without the host, or None."""
    if chunk.mechanism.name == "solo":
        return "the model runs one lane at a time"
    for _, update in chunk.updates:
        if isinstance(update, TorchUpdate):
            return f"{update.lanes[0].optimizer.program[0]} steps one lane at a time"
        assert isinstance(update, RuleUpdate)
        if not isinstance(update.kernel, LaneKernel):
            return f"{update.kernel.settings.rule.name} is run by torch"
    if chunk.penalties.responses:
        return "a proximal penalty looks at each step of its rule"
    return None


class DeviceRun:
    """The blocks of one chunk; made where `why_step_by_step` finds nothing."""

    def __init__(self, chunk: Chunk, stage: Stage) -> None:
        self.chunk, self.stage = chunk, stage
        self.block = Block(chunk)
        self.steps: list[tuple[Step, Replayed]] = []
        self.captured = 0
        self.fault: str | None = None  # why a step is not replayed as a graph

    def epoch(self, x: Tensor, y: Tensor, batches: Sequence[Tensor]) -> tuple[Floats, Floats]:
        """As `Chunk.epoch`."""
        done = [self._block(x, y, part) for part in alike(batches)]
        return np.concatenate([d[0] for d in done]), np.concatenate([d[1] for d in done])

    def _block(self, x: Tensor, y: Tensor, batches: Sequence[Tensor]) -> tuple[Floats, Floats]:
        c, n, steps, begin = self.chunk, len(self.chunk.lanes), len(batches), self.chunk.t
        c.t += steps
        if not c.alive.any():
            return np.full((steps, n), math.nan), np.full((steps, n), math.nan)
        index = places(batches, len(x))
        c.compact()
        if index.dim() == 3 and len(c.run) < n:
            index = index[:, torch.from_numpy(c.run).to(index.device)]
        step, replayed = self._step(x, y, tuple(index.shape[1:]))
        ahead = [update.ahead(begin, steps) for _, update in c.updates if isinstance(update, RuleUpdate)]
        keys = lane_keys(c.seeds, np.arange(begin + 1, c.t + 1)[:, None])
        self.block.begin(c.alive, keys, [coefficients for coefficients, _ in ahead])
        step.index[:steps].copy_(_small(index).to(step.index.device) if index.device != step.index.device else index)
        for _ in range(steps):
            replayed()
        self._note(replayed)
        return self._settle(begin, steps, [scalars for _, scalars in ahead])

    def _step(self, x: Tensor, y: Tensor, shape: tuple[int, ...]) -> tuple[Step, Replayed]:
        found = next((s for s in self.steps if s[0].fits(x, y, shape)), None)
        if found is None:
            # Graphs of rows that are run no more, or of tensors that lie elsewhere now, are let go first: theirs is the memory.
            self.steps = [s for s in self.steps if s[0].fits(s[0].x, s[0].y, tuple(s[0].index.shape[1:]))][
                -(MOST_STEPS_KEPT - 1) :
            ]
            made = Step(self.chunk, self.block, x, y, shape)
            found = made, Replayed(made, self.stage)
            self.steps.append(found)
        return found

    def _note(self, replayed: Replayed) -> None:
        self.fault = self.fault or replayed.fault
        self.captured = max(self.captured, sum(r.replay is not None for _, r in self.steps))

    def _settle(self, begin: int, steps: int, scalars: Sequence[list[dict[str, Floats]]]) -> tuple[Floats, Floats]:
        """Takes up what the steps have told."""
        c, block = self.chunk, self.block
        losses, squares = (t[:steps].cpu().numpy().copy() for t in (block.losses, block.squares))
        live, taken = block.live.cpu().numpy(), block.taken.cpu().numpy()
        for (rows, update), held in zip(c.updates, scalars, strict=True):
            assert isinstance(update, RuleUpdate)
            update.settle(held, taken[rows])
        norms = np.sqrt(squares)
        for i in np.flatnonzero(c.alive & ~live):
            step = int(taken[i])
            c.retire(int(i), begin + step + 1, float(losses[step, i]), float(norms[step, i]))
        return losses, norms

    def told(self) -> str:
        """How steps run, in a few words."""
        if self.fault is not None:
            return f"whole steps on the device, not replayed as a graph: {self.fault}"
        return "whole steps captured as CUDA graphs and replayed"


def _small(index: Tensor) -> Tensor:
    """Half the bytes on their way to the device."""
    return index.to(torch.int32) if not index.numel() or int(index.max()) < 2**31 else index
