"""Small convolutional networks for images."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from slalom.core.errors import BadValueError
from slalom.nets.activations import MAXOUT, activation


def image_shape(input_shape: Sequence[int]) -> tuple[tuple[int, int, int], list[nn.Module], str]:
    """Channels, height and width of the inputs, the layer that makes them so, and a note where that was guessed.

    `[C, H, W]` is an image, `[H, W]` one of one channel; `[d]` is one where d is a square, as digits' 64 pixels are.
    """
    shape = tuple(input_shape)
    if len(shape) == 3:
        return (shape[0], shape[1], shape[2]), [], ""
    if len(shape) == 2:
        image = (1, *shape)
        return image, [nn.Unflatten(1, (1, shape[0]))], f"inputs {list(shape)} are read as images of one channel"
    side = math.isqrt(math.prod(shape))
    if len(shape) != 1 or side < 2 or side * side != shape[0]:
        raise BadValueError(
            f"a cnn needs images [channels, height, width], got inputs {list(shape)}; reshape them, or use an mlp"
        )
    note = f"the {shape[0]} inputs are read as images of 1 x {side} x {side}"
    return (1, side, side), [nn.Unflatten(1, (1, side, side))], note


def cnn(
    input_shape: Sequence[int],
    channels: Sequence[int],
    output_size: int,
    act: str = "relu",
    dropout: float = 0.0,
    batchnorm: bool = False,
) -> nn.Sequential:
    """A 3x3 convolution a channel count, each with activation and 2x2 max pooling while the image allows; then a linear layer."""
    if act == MAXOUT:
        raise BadValueError("a cnn has no maxout; use another activation, such as cnn:8,16:relu, or an mlp")
    (size, height, width), layers, _ = image_shape(input_shape)
    for count in channels:
        layers.append(nn.Conv2d(size, count, kernel_size=3, padding=1))
        layers += [nn.BatchNorm2d(count)] if batchnorm else []
        layers.append(activation(act))
        if min(height, width) >= 2:
            layers.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
        size = count
    layers += [nn.Flatten()]
    layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers, nn.Linear(size * height * width, output_size))
