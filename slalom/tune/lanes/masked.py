"""A small MLP inside a larger one: padded units and skipped layers hold zeros, get zero gradients, and stay zero.

A unit beyond a lane's width has zero weights in and out. Its input is 0; where the activation makes 0 of 0 (ReLU, tanh, GELU)
it sends on 0, and the weights into it get the gradient of weights out that are 0: nothing moves it. Where the activation does
not (sigmoid), what it sends on is multiplied by 0. Weight decay, momentum and clipping see zeros, which change no sum.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from slalom.core.errors import BadValueError
from slalom.nets.mlp import mlp
from slalom.tune.lanes.architecture import SHARED, Architecture, Frame


def mlp_of(shape: Architecture, input_shape: Sequence[int], outputs: int) -> nn.Sequential:
    """The model alone, a plain `nn.Sequential` with torch's initialisation."""
    return mlp(input_shape, shape.widths, outputs, shape.activation, shape.dropout)


def _empty(inputs: int, outputs: int) -> nn.Linear:
    made: nn.Linear = skip_init(nn.Linear, inputs, outputs)  # type: ignore[no-untyped-call]
    return made


class MaskedMLP(nn.Module):
    """The padded form of an MLP: its weights in the corners of larger ones, and buffers that say what is real.

    `widths [depth]`: real units of each hidden layer, 0 for one that is skipped. `activation`: number in `SHARED`. `dropout`: its
    rate. It has no forward of its own: `slalom.tune.lanes.masked` runs many of them together.
    """

    widths: Tensor
    activation: Tensor
    dropout: Tensor

    def __init__(self, frame: Frame, shape: Architecture) -> None:
        super().__init__()
        self.frame = frame
        sizes = [frame.inputs, *[frame.width] * frame.depth]
        self.hidden = nn.ModuleList(_empty(a, b) for a, b in itertools.pairwise(sizes))
        self.out = _empty(frame.width, frame.outputs)
        skipped = [0] * (frame.depth - len(shape.widths))
        self.register_buffer("widths", torch.tensor([*shape.widths, *skipped]))
        self.register_buffer("activation", torch.tensor(SHARED.index(shape.activation)))
        self.register_buffer("dropout", torch.tensor(shape.dropout, dtype=torch.float64))
        for p in self.parameters():
            nn.init.zeros_(p)


def linears(module: nn.Module) -> list[nn.Linear]:
    """The linear layers of a plain MLP, in order."""
    return [m for m in module.modules() if isinstance(m, nn.Linear)]


def embedded(small: nn.Sequential, shape: Architecture, frame: Frame) -> MaskedMLP:
    """The padded form of `small`, with its weights."""
    made = MaskedMLP(frame, shape)
    *hidden, last = linears(small)
    if len(hidden) > frame.depth or max(shape.widths) > frame.width:
        raise BadValueError(f"an MLP of widths {shape.widths} does not fit {frame.depth} layers of {frame.width}")
    with torch.no_grad():
        for place, real in zip([*made.hidden[: len(hidden)], made.out], [*hidden, last], strict=True):
            place.weight[: real.out_features, : real.in_features] = real.weight
            place.bias[: real.out_features] = real.bias
    return made


def taken_out(weights: dict[str, Tensor], shape: Architecture, small: nn.Sequential) -> nn.Sequential:
    """`small` with the weights of its padded form (a lane's state dict); the inverse of `embedded`."""
    *hidden, last = linears(small)
    names = [*(f"hidden.{i}" for i in range(len(hidden))), "out"]
    with torch.no_grad():
        for name, real in zip(names, [*hidden, last], strict=True):
            weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
            real.weight.copy_(weight[: real.out_features, : real.in_features])
            real.bias.copy_(bias[: real.out_features])
    return small
