"""Fully connected networks as a plain `nn.Sequential`, with torch's default initialisation."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from slalom.nets.activations import MAXOUT, Maxout, activation

SMALLEST, LARGEST = 32, 256


def default_widths(inputs: int, rows: int) -> tuple[int, int]:
    """The two hidden layers of a model that nobody described, from the number of inputs and of training rows.

    Both are the power of two next above the number of inputs, within [32, 256], and no wider than a quarter of the
    training rows, so that small tables get small networks.

    >>> default_widths(inputs=64, rows=1078)  # digits
    (64, 64)
    """
    wanted = 2 ** math.ceil(math.log2(max(inputs, 1)))
    affordable = 2 ** math.floor(math.log2(max(rows / 4, 1)))
    width = max(SMALLEST, min(wanted, affordable, LARGEST))
    return width, width


def mlp(
    input_shape: Sequence[int],
    widths: Sequence[int],
    output_size: int,
    act: str = "relu",
    dropout: float = 0.0,
    batchnorm: bool = False,
) -> nn.Sequential:
    """Hidden layers of these widths, each followed by batch normalisation, activation and dropout as asked; then a linear one.

    >>> mlp((4,), [8], 3)
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): ReLU()
      (2): Linear(in_features=8, out_features=3, bias=True)
    )
    """
    layers: list[nn.Module] = [nn.Flatten()] if len(input_shape) > 1 else []
    size = math.prod(input_shape)
    for width in widths:
        layers.append(Maxout(size, width) if act == MAXOUT else nn.Linear(size, width))
        layers += [nn.BatchNorm1d(width)] if batchnorm else []
        layers += [activation(act)] if act != MAXOUT else []
        layers += [nn.Dropout(dropout)] if dropout else []
        size = width
    return nn.Sequential(*layers, nn.Linear(size, output_size))
