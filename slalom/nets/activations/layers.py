"""Layers that torch does not have: Swish with a slope of its own, and Maxout."""

from __future__ import annotations

import copy

import torch
from torch import nn

from slalom.core.checks import whole
from slalom.core.errors import BadValueError


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
            whole(value, f"Maxout: {name}", 1)
        self.out_features, self.pieces = out_features, pieces
        self.linear = nn.Linear(in_features, out_features * pieces)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # max passes the gradient to one piece; amax would share it between pieces that tie.
        maps: torch.Tensor = self.linear(x)
        return maps.reshape(*maps.shape[:-1], self.out_features, self.pieces).max(dim=-1).values

    def extra_repr(self) -> str:
        return f"out_features={self.out_features}, pieces={self.pieces}"


def still(module: nn.Module) -> nn.Module:
    """A copy of an activation to look at: in float64 on the CPU, in evaluation mode, not in place."""
    made = copy.deepcopy(module).double().cpu().eval()
    if getattr(made, "inplace", False):
        made.inplace = False  # type: ignore[assignment]
    return made
