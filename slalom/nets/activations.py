"""Activations by name: torch's modules where torch has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from slalom.core.errors import BadValueError, unknown_name


class Swish(nn.Module):
    """`x * sigmoid(beta * x)`; with `beta` 1, SiLU, with a large one nearly ReLU. `trainable` makes `beta` a parameter.

    Source: Ramachandran, Zoph & Le 2017, arXiv:1710.05941.

    >>> Swish(beta=2.0)(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8808])
    """

    beta: torch.Tensor

    def __init__(self, beta: float = 1.0, trainable: bool = False) -> None:
        super().__init__()
        value = torch.tensor(float(beta))
        if not torch.isfinite(value):
            raise BadValueError(f"Swish: beta must be a finite number, got {beta!r}")
        if trainable:
            self.beta = nn.Parameter(value)
        else:
            self.register_buffer("beta", value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.beta * x)


class Maxout(nn.Module):
    """The largest of `pieces` linear maps, for each of `out_features` outputs: `[*, in_features]` to `[*, out_features]`.

    Source: Goodfellow et al. 2013, arXiv:1302.4389. Weights start as `nn.Linear`'s.

    >>> Maxout(4, 3, pieces=2)(torch.zeros(5, 4)).shape
    torch.Size([5, 3])
    """

    def __init__(self, in_features: int, out_features: int, pieces: int = 2) -> None:
        super().__init__()
        for name, value in (("in_features", in_features), ("out_features", out_features), ("pieces", pieces)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise BadValueError(f"Maxout: {name} must be a whole number >= 1, got {value!r}")
        self.out_features, self.pieces = out_features, pieces
        self.linear = nn.Linear(in_features, out_features * pieces)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # max passes the gradient to one piece; amax would share it between pieces that tie.
        maps: torch.Tensor = self.linear(x)
        return maps.reshape(*maps.shape[:-1], self.out_features, self.pieces).max(dim=-1).values

    def extra_repr(self) -> str:
        return f"out_features={self.out_features}, pieces={self.pieces}"


@dataclass(frozen=True)
class Activation:
    """A name's module, and one line on it."""

    make: Callable[[], nn.Module]
    doc: str


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(nn.ReLU, "max(0, x)"),
    "leaky_relu": Activation(nn.LeakyReLU, "x, or 0.01 x below 0"),
    "prelu": Activation(nn.PReLU, "x, or a x below 0 with one trained slope a layer, 0.25 at first"),
    "elu": Activation(nn.ELU, "x, or exp(x) - 1 below 0"),
    "gelu": Activation(nn.GELU, "x times the normal distribution's P(X < x)"),
    "silu": Activation(nn.SiLU, "x sigmoid(x)"),
    "swish": Activation(nn.SiLU, "silu by its other name"),
    "tanh": Activation(nn.Tanh, "hyperbolic tangent, in (-1, 1)"),
    "sigmoid": Activation(nn.Sigmoid, "1 / (1 + exp(-x)), in (0, 1)"),
    "identity": Activation(nn.Identity, "x: layers collapse into one linear map"),
}

# Maxout stands for a layer and its activation together, so builders of layers know it by name.
MAXOUT = "maxout"
NAMES = (*ACTIVATIONS, MAXOUT)


def activation(name: str) -> nn.Module:
    """A new module of that activation; `relu`, `leaky_relu`, `prelu`, `elu`, `gelu`, `silu`, `swish`, `tanh`, ...

    >>> activation("tanh")
    Tanh()
    """
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name].make()
