"""Activations as curves: the function, its slope, and what thirty layers of it make of a signal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from slalom.nets.activations.catalogue import ACTIVATIONS
from slalom.nets.activations.moments import moments

Floats = npt.NDArray[np.float64]
REACH, POINTS, LAYERS, NODES = 5.0, 81, 30, 200


@dataclass(frozen=True)
class ActivationFigure:
    """One activation over `x` in [-5, 5].

    `value`, `slope`: f and f'. `signal`, `gradient`: of a wide network, layer by layer, weights of variance 1 / width as
    libraries that know no gain have it: root mean square of the signal, and of the gradient that comes back through as many
    layers, both 1 before the first. `gain`: what the weights would have to be multiplied by to keep the signal.
    """

    name: str
    doc: str
    range: str
    saturates: str
    pitfalls: str
    mean: float
    gain: float
    value: Floats
    slope: Floats
    signal: Floats
    gradient: Floats


def grid() -> Floats:
    """The abscissae of `value` and `slope`."""
    return np.linspace(-REACH, REACH, POINTS)


@cache
def build_activations() -> tuple[ActivationFigure, ...]:
    """Every elementwise activation of the catalogue."""
    made = []
    for name, known in ACTIVATIONS.items():
        module = known.make().double()
        value, slope = _both(module, grid())
        signal, gradient = _through(module)
        figures = moments(module)
        made.append(ActivationFigure(
            name, known.doc, known.range, known.saturates, known.pitfalls, figures.mean, figures.gain, value,
            slope, signal, gradient,
        ))  # fmt: skip
    return tuple(made)


def _both(module: nn.Module, x: Floats) -> tuple[Floats, Floats]:
    at = torch.tensor(x, requires_grad=True)
    y = module(at)
    (slope,) = torch.autograd.grad(y.sum(), at)
    return np.asarray(y.detach().numpy()), np.asarray(slope.numpy())


def _through(module: nn.Module) -> tuple[Floats, Floats]:
    """Mean-field signal and gradient (Poole et al. 2016, eq. 3; Schoenholz et al. 2017, eq. 7), by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    q, chi = [1.0], [1.0]
    for _ in range(LAYERS):
        value, slope = _both(module, np.sqrt(q[-1]) * nodes)
        q.append(float(weights @ value**2))
        chi.append(chi[-1] * float(weights @ slope**2))
    return np.sqrt(q), np.sqrt(chi)


def as_dict(figure: ActivationFigure) -> dict[str, Any]:
    """All but the curves, as plain data."""
    return {k: v for k, v in vars(figure).items() if not isinstance(v, np.ndarray)}
