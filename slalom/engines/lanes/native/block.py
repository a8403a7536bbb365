"""Steps of lanes by one call of C (train.c): gather, forward, backward, penalties, clip and update, several steps a lane."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from slalom.core.errors import BadValueError
from slalom.engines.kernels.kernel import StepInC
from slalom.engines.lanes.mechanism import Buffers
from slalom.engines.lanes.native.chain import CROSS_ENTROPY, IGNORED, target_fault
from slalom.engines.lanes.native.layers import KINDS, Chain

Array = np.ndarray[Any, Any]


class Company(Protocol):
    """A mechanism that runs in C: the chain of each of its lanes, and what they share."""

    @property
    def loss(self) -> int: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def library(self) -> ctypes.CDLL: ...

    def chains_of(self, lanes: int, buffers: Buffers, shape: tuple[int, ...]) -> list[Chain]:
        """Each lane's chain, for samples of this shape."""
        ...


class _Block(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in (
            "steps", "lanes", "across", "batch", "shared", "loss", "row", "coefficients", "by_step", "logged",
        )),
        *((name, ctypes.c_void_p) for name in (
            "layers", "lengths", "layer", "params", "x", "y", "index", "keys", "buffers", "l2", "l1", "step", "states", "strides",
            "coefficient", "clip", "live", "taken", "losses", "squares", "wrong", "memory", "grads", "workspace", "partial", "ok",
        )),
    ]  # fmt: skip


@dataclass(frozen=True)
class Batches:
    """`index`: rows of x and y, `[steps, lanes, batch]`, or `[steps, batch]` where all lanes share them.

    `keys [steps, lanes]`: of dropout. `losses [steps, lanes]` (of the lanes' dtype) and `squares` (of gradient norms) are
    filled in.
    """

    x: Tensor
    y: Tensor
    index: Tensor
    keys: Array
    losses: Tensor
    squares: Array


@dataclass(frozen=True)
class Rows:
    """Lanes of one rule: neighbours among those of the batches, from number `start`.

    Changed in place: `params [lanes, D]`, `buffers`, `states`, `live [lanes]` (uint8, cleared where a lane stops) and `taken`
    (int64, steps taken). `coefficients [steps, lanes, ...]`: what the kernel gave. `clip [lanes]`, or strengths of penalties
    `l2`, `l1 [lanes, D]`: None for none.
    """

    start: int
    params: Tensor
    buffers: Buffers
    live: Array
    taken: Array
    kernel: StepInC
    states: Sequence[Tensor]
    coefficients: Array
    clip: Array | None = None
    l2: Tensor | None = None
    l1: Tensor | None = None


class Blocks:
    """Runs blocks of steps for one chunk; memory is kept between them."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.held: dict[str, Array] = {}
        self.sizes: dict[tuple[Any, ...], int] = {}

    def data(self, x: Tensor, y: Tensor, batch: int, buffers: Buffers) -> tuple[Tensor, Tensor]:
        """x and y as the C reads them; BadValueError where they do not fit the model (classes are looked at as they are met)."""
        made = self.company.chains_of(1, {k: v[:1] for k, v in buffers.items()}, tuple(x.shape[1:]))[0]
        if x.dtype != self.company.dtype:
            raise BadValueError(f"inputs are {x.dtype}, parameters {self.company.dtype}")
        if made.norms and batch < 2:
            raise ValueError(f"BatchNorm needs more than 1 sample a batch when training, got {batch}")
        classes = self.company.loss == CROSS_ENTROPY
        fault = target_fault(y[:0], 0, made.out_shape, self.company.loss)
        if fault:
            raise BadValueError(fault)
        return x.contiguous(), y.to(torch.int64 if classes else self.company.dtype).contiguous()

    def _scratch(self, name: str, size: int) -> int:
        """The address of at least this many bytes."""
        if name not in self.held or self.held[name].size < size:
            self.held[name] = np.empty(size, np.uint8)
        return self.held[name].ctypes.data

    def _memory(self, chains: Sequence[Chain], batch: int, itemsize: int) -> int:
        distinct = {id(c): c for c in chains}
        key = (batch, *distinct)
        if key not in self.sizes:
            if len(self.sizes) > 64:
                self.sizes.clear()
            self.sizes[key] = itemsize * max(
                self.company.library.slalom_memory(
                    ctypes.c_int64(len(c.rows)), ctypes.c_void_p(c.rows.ctypes.data), ctypes.c_int64(batch)
                )
                for c in distinct.values()
            )
        return self._scratch("memory", self.sizes[key])

    def run(self, given: Batches, rows: Rows) -> None:
        """All the steps of these rows; BadValueError for a target that is no class, with the steps before it taken."""
        n, width = rows.params.shape
        steps, across = given.keys.shape
        shared, batch = given.index.dim() == 2, given.index.shape[-1]
        itemsize = rows.params.element_size()
        chains = self.company.chains_of(n, rows.buffers, tuple(given.x.shape[1:]))
        held = [rows.buffers[k] for k in (*chains[0].norms, *chains[0].shares)]
        pointers = np.array([b.data_ptr() for b in held] or [0], np.uint64)
        known = {id(c): (len(c.rows), c.length, c.rows.ctypes.data) for c in {id(c): c for c in chains}.values()}
        layers = np.array([known[id(c)][0] for c in chains])
        lengths = np.array([known[id(c)][1] for c in chains])
        layer = np.array([known[id(c)][2] for c in chains], np.uint64)
        states = np.array([s.data_ptr() for s in rows.states] or [0], np.uint64)
        strides = np.array([s.stride(0) for s in rows.states] or [0])
        coefficients = np.ascontiguousarray(rows.coefficients, np.float64)
        clip = None if rows.clip is None else np.ascontiguousarray(rows.clip, np.float64)
        wrong = np.zeros(2, np.int64)
        own = 0 if shared else rows.start * batch  # numbers of the index before these lanes'
        patches = shared and KINDS[chains[0].rows["kind"][0]] == "conv"  # worth sharing: then step by step, not lane by lane
        kernel = rows.kernel
        call = _Block(
            steps, n, across, batch, int(shared), self.company.loss, width, kernel.coefficients, int(patches),
            kernel.logged,
            layers=layers.ctypes.data, lengths=lengths.ctypes.data, layer=layer.ctypes.data,
            params=rows.params.data_ptr(), x=given.x.data_ptr(), y=given.y.data_ptr(), index=given.index.data_ptr() + 8 * own,
            keys=given.keys.ctypes.data + 8 * rows.start, buffers=pointers.ctypes.data,
            l2=_address(rows.l2), l1=_address(rows.l1), step=kernel.address, states=states.ctypes.data,
            strides=strides.ctypes.data, coefficient=coefficients.ctypes.data, clip=None if clip is None else clip.ctypes.data,
            live=rows.live.ctypes.data, taken=rows.taken.ctypes.data,
            losses=given.losses.data_ptr() + itemsize * rows.start,
            squares=given.squares.ctypes.data + 8 * rows.start, wrong=wrong.ctypes.data,
            memory=self._memory(chains, batch, itemsize), grads=self._scratch("grads", width * itemsize),
            workspace=self._scratch("log", kernel.log),
            partial=self._scratch("partial", 8 * kernel.chunks), ok=self._scratch("ok", kernel.chunks),
        )  # fmt: skip
        self.company.library.slalom_train(ctypes.byref(call))
        if wrong[0]:
            fault = target_fault(torch.tensor([int(wrong[1])]), 1, chains[0].out_shape, self.company.loss)
            raise BadValueError(fault or f"target {wrong[1]} is neither a class nor {IGNORED}")


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def places(index: Sequence[Tensor], count: int) -> Tensor:
    """Indices of steps stacked, int64, with torch's rules for negative ones and its IndexError for those outside."""
    made = torch.stack([i.nonzero()[:, 0] if i.dtype == torch.bool else i for i in index]).to(torch.int64).contiguous()
    if made.numel():
        low, high = (int(v) for v in torch.aminmax(made))
        if high >= count or low < -count:
            raise IndexError(f"index {high if high >= count else low} is out of bounds for dimension 0 with size {count}")
        if low < 0:
            made = torch.where(made < 0, made + count, made)
    return made


__all__ = ["Batches", "Blocks", "Rows", "places"]
