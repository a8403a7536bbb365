"""Activations, their slopes, and what a signal looks like after layers of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from slalom.core.errors import BadValueError, unknown_name
from slalom.landscape.teaching.record import Activations, Layers
from slalom.landscape.teaching.registry import lesson
from slalom.nets.activations import ACTIVATIONS

DEPTH, WIDTH, SAMPLES, BINS = 10, 256, 200, 81
SHOWN = 4.0


def layers_of(name: str, depth: int = DEPTH, seed: int = 0) -> Layers:
    """An activation of the catalogue, its slope by autograd, and the activations of a random network, layer by layer.

    Standard normal inputs, `depth` layers of 256 units, weights N(0, 1 / 256), no biases: the same for every activation.
    """
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS)
    f = ACTIVATIONS[name].make().double()
    x = torch.linspace(-SHOWN, SHOWN, 401, dtype=torch.float64, requires_grad=True)
    y = f(x)
    slope = torch.autograd.grad(y.sum(), x)[0] if y.requires_grad else torch.zeros_like(x)
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    edges = np.linspace(-SHOWN / 2, SHOWN / 2, BINS + 1)
    h, shares, spread = normal(SAMPLES, WIDTH), [], []
    with torch.no_grad():
        for _ in range(depth):
            h = f(h @ normal(WIDTH, WIDTH) / WIDTH**0.5)
            shares.append(np.histogram(h.numpy(), edges)[0] / h.numel())
            spread.append(float(h.std()))
    return Layers(name, x.detach().numpy(), y.detach().numpy(), slope.numpy(), edges, np.array(shares), np.array(spread))


def activations_of(names: Sequence[str]) -> Activations:
    """Some of the catalogue's activations beside each other, six at most."""
    if not 1 <= len(names) <= 6:
        raise BadValueError(f"give one to six activations, got {len(names)}")
    words = f"Standard normal inputs, {DEPTH} layers of {WIDTH} units, weights N(0, 1/{WIDTH}), no biases; bars are cut at 16 %."
    return Activations("Activations, their slopes, and a signal on its way through layers", words, tuple(map(layers_of, names)))


@lesson
def activations() -> Activations:
    """Four activations and their slopes, and how the signal's distribution changes layer by layer."""
    return activations_of(("sigmoid", "tanh", "relu", "gelu"))
