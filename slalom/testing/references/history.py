"""Sums over the whole past, as the papers write them out: no recursion is shared with the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Gradient = Callable[[Vector, int], Vector]
Past = Sequence[Vector]


def average(past: Past, beta: float, start: float = 0.0) -> Vector:
    """The running average after all of `past`: (1 - beta) sum_i beta^(t-i) x_i + beta^t start."""
    return (1.0 - beta) * fading(past, beta) + beta ** len(past) * start


def fading(past: Past, beta: float) -> Vector:
    """sum_i beta^(t-i) x_i, the newest counting fully."""
    ages = np.arange(len(past) - 1, -1, -1)
    return np.asarray(beta**ages @ np.array(past))


def variance(past: Past, beta: float, start: float = 0.0) -> Vector:
    """The running variance: what `average` of squares minus squared `average` is, summed without cancellation.

    The past begins with a 0 of weight beta^t, as running averages that start from 0 do.
    """
    mean, rest = average(past, beta), beta ** len(past)
    return (1.0 - beta) * fading(squares([x - mean for x in past]), beta) + rest * (mean**2 + start)


def squares(past: Iterable[Vector]) -> list[Vector]:
    """Each entry squared."""
    return [x * x for x in past]


def over(a: Vector, b: Vector) -> Vector:
    """a / b, and 0 where both are 0: a coordinate that never had a gradient does not move."""
    return np.asarray(np.where((a == 0) & (b == 0), 0.0, a / np.where(b == 0, 1.0, b)))


def penalised(g: Vector, x: Vector, weight_decay: float, decoupled: bool) -> Vector:
    """The gradient of loss + weight_decay / 2 |x|^2, unless the decay is decoupled from it."""
    return g if decoupled else np.asarray(g + weight_decay * x)


def shrink(x: Vector, rate: float, weight_decay: float, decoupled: bool) -> Vector:
    """What a decoupled decay takes off the weights beside the step (Loshchilov & Hutter 2019, eq. 1, with lr before it)."""
    return np.asarray(rate * weight_decay * x if decoupled else np.zeros_like(x))
