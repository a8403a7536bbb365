"""How a chunk of lanes gets its losses and gradients: the contract that the ways of doing it share."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor, nn

Buffers = dict[str, Tensor]  # name -> [lanes, *shape]


TAIL = 32  # the most elements that a vectorised loop leaves to scalar code (two AVX-512 registers of float32)


def spare_lanes(elements: int) -> int:
    """Spare lanes that together hold a vectorised loop's tail when a lane has this many elements in a tensor."""
    return -(-TAIL // max(elements, 1))


def narrowest(module: nn.Module) -> int:
    """The fewest numbers a lane can put into one call: a batch of one sample in the narrowest layer, or a norm's statistics."""
    sizes = [p.shape[0] if p.dim() else 1 for p in module.parameters()]
    return min([*sizes, *(b.numel() for b in module.buffers() if b.is_floating_point())])


class Gradients(NamedTuple):
    """`loss [lanes]`; `grads [lanes, D]` in the layout's order; buffers after the forward pass, as new tensors."""

    loss: Tensor
    grads: Tensor
    buffers: Buffers


class Mechanism(Protocol):
    """`keys [lanes]` seed this step's dropout. `per_lane`: x and y have a leading lane axis, else all lanes share them."""

    name: str
    compacts: float  # the share of a chunk that must have stopped before the others are run without it
    spare: int  # spare lanes at the chunk's end that bit-identical results need (see chunk.py)

    def gradients(self, params: Tensor, buffers: Buffers, x: Tensor, y: Tensor, keys: Tensor, per_lane: bool) -> Gradients:
        """Training mode."""
        ...

    def predict(self, params: Tensor, buffers: Buffers, x: Tensor) -> Tensor:
        """Evaluation mode, shared inputs `[batch, ...]` -> outputs `[lanes, batch, ...]`."""
        ...
