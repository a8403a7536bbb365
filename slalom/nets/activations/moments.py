"""What an elementwise function makes of standard normal inputs: means, gains, how deviations grow from layer to layer.

All by quadrature in float64: Gauss-Legendre on both sides of 0, where every kink lies.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from slalom.core.errors import BadValueError

EDGE, POINTS = 14.0, 256  # beyond the edge the normal density is below 1e-43


@dataclass(frozen=True)
class Moments:
    """`mean` E[f] and `square` E[f^2] of f(z), z ~ N(0, 1); `slope_square` E[f'^2]; `sway` E[f f' z] and `drift` E[f' z].

    `gain` = 1 / sqrt(E[f^2]): weights of variance gain^2 / fan_in keep the second moment of pre-activations (He et al. 2015,
    arXiv:1502.01852, equation 10, for any f). `centred_gain` = 1 / std(f): the same for weights whose row sums are 0, which also
    keeps the variance over the data. `backward_gain` = 1 / sqrt(E[f'^2]) keeps the gradient's (their equation 14).
    `growth`: how much a small relative deviation of the second moment grows in one layer; above 1, deep networks run off.
    `centred_growth`: the same with centred weights.
    """

    mean: float
    square: float
    slope_square: float
    sway: float
    drift: float

    @property
    def std(self) -> float:
        return math.sqrt(max(self.square - self.mean**2, 0.0))

    @property
    def gain(self) -> float:
        return _inverse(math.sqrt(self.square))

    @property
    def centred_gain(self) -> float:
        return _inverse(self.std)

    @property
    def backward_gain(self) -> float:
        return _inverse(math.sqrt(self.slope_square))

    @property
    def growth(self) -> float:
        return self.gain**2 * self.sway

    @property
    def centred_growth(self) -> float:
        return self.centred_gain**2 * (self.sway - self.mean * self.drift)


def _inverse(value: float) -> float:
    return 1 / value if value > 0 else math.inf


@cache
def _grid() -> tuple[torch.Tensor, torch.Tensor]:
    """Points and weights of the normal expectation, each half-line cut into panels."""
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    edges = np.array([0.0, 1.0, 3.0, 7.0, EDGE])
    points, mass = [], []
    for low, high in itertools.pairwise(edges):
        z = (high - low) / 2 * nodes + (high + low) / 2
        w = (high - low) / 2 * weights * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        points += [z, -z]
        mass += [w, w]
    return torch.from_numpy(np.concatenate(points)), torch.from_numpy(np.concatenate(mass))


def moments(function: Callable[[torch.Tensor], torch.Tensor]) -> Moments:
    """The moments of an elementwise function, given as a module or function of float64 tensors `[n]`.

    A module is used as it is, in float64; random ones (RReLU) should be in evaluation mode. Errors: `BadValueError` for what is
    not elementwise or gives NaN.

    >>> round(moments(torch.relu).gain, 4), round(moments(torch.tanh).backward_gain, 4)
    (1.4142, 1.4674)
    """
    z, weight = _grid()
    x = z.clone().requires_grad_()
    with torch.enable_grad():
        y = function(x)
        if y.shape != x.shape:
            raise BadValueError(f"an activation must be elementwise: {list(x.shape)} became {list(y.shape)}")
        slope = torch.autograd.grad(y.sum(), x)[0] if y.requires_grad else torch.zeros_like(x)
    y, slope = y.detach().double(), slope.double()
    values = [y, y * y, slope * slope, y * slope * z, slope * z]
    made = [float((weight * v).sum()) for v in values]
    if not all(map(math.isfinite, made)):
        raise BadValueError("an activation must be finite for inputs in [-14, 14]; this one gives NaN or infinity")
    return Moments(*made)


def maxout_moments(pieces: int) -> Moments:
    """The moments of the largest of `pieces` independent standard normal numbers; one winner passes the gradient whole.

    >>> round(maxout_moments(2).mean, 4), round(maxout_moments(3).gain, 4)
    (0.5642, 0.8854)
    """
    z, weight = _grid()
    below = torch.special.ndtr(z)
    density = weight * pieces * below ** (pieces - 1)
    mean, square = float((density * z).sum()), float((density * z * z).sum())
    return Moments(mean, square, 1.0, square, mean)  # homogeneous: f'(z) z = f(z)
