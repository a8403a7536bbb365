"""Gradient descent and its velocities, from the papers; see the package for the signature they share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slalom.testing.references.history import Gradient, Vector, fading, penalised, shrink


def sgd(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, momentum: float, dampening: float, weight_decay: float,
    decoupled_weight_decay: bool, nesterov: bool,
) -> list[Vector]:  # fmt: skip
    """torch.optim.SGD as its documentation writes it: b_1 = g_1, b_t = mu b_(t-1) + (1 - tau) g_t."""
    path, past = [x], list[Vector]()
    for t, lr in enumerate(lrs, 1):
        g = penalised(gradient(x, t), x, weight_decay, decoupled_weight_decay)
        x = x - shrink(x, lr, weight_decay, decoupled_weight_decay)
        past.append(g if t == 1 else (1 - dampening) * g)
        if momentum != 0:
            b = fading(past, momentum)
            g = g + momentum * b if nesterov else b
        x = x - lr * g
        path.append(x)
    return path


def momentum(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, momentum: float, dampening: float, weight_decay: float,
    decoupled_weight_decay: bool, convention: str,
) -> list[Vector]:  # fmt: skip
    """Heavy ball as sums over the past: lr weighs the velocity (torch, tf) or each gradient in it (paper)."""
    path, past = [x], list[Vector]()
    for t, lr in enumerate(lrs, 1):
        g = penalised(gradient(x, t), x, weight_decay, decoupled_weight_decay)
        x = x - shrink(x, lr, weight_decay, decoupled_weight_decay)
        kept = 1.0 if convention == "torch" and t == 1 else 1.0 - dampening
        if convention == "paper":
            past.append(lr * kept * g)
            x = x - fading(past, momentum)
        else:
            past.append(kept * g)
            x = x - lr * fading(past, momentum)
        path.append(x)
    return path


def nag(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, momentum: float, weight_decay: float,
    decoupled_weight_decay: bool, convention: str,
) -> list[Vector]:  # fmt: skip
    """The true look-ahead (Sutskever et al. 2013, eq. 3-4): theta moves, the gradient is taken at theta + mu v.

    What is returned are the look-ahead points, which is what libraries hold in the parameter. torch keeps v in units
    of the gradient: each step's v is rescaled to the lr of the step. A decoupled decay shrinks the look-ahead point.
    """
    theta, v, path = x, np.zeros_like(x), [x]
    for t, lr in enumerate(lrs, 1):
        if convention == "torch" and t > 1 and lrs[t - 2] != 0:
            ahead = theta + momentum * v
            v = v * (lr / lrs[t - 2])
            theta = ahead - momentum * v  # the parameter stays where it is when lr changes
        ahead = theta + momentum * v
        v = momentum * v - lr * penalised(gradient(ahead, t), ahead, weight_decay, decoupled_weight_decay)
        theta = theta + v - shrink(ahead, lr, weight_decay, decoupled_weight_decay)
        path.append(theta + momentum * v)
    return path


def lion(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, b1: float, b2: float, weight_decay: float,
    decoupled_weight_decay: bool,
) -> list[Vector]:  # fmt: skip
    """Chen et al. 2023, Algorithm 2: c = b1 m + (1 - b1) g, theta -= eta (sign(c) + lambda theta)."""
    path, past = [x], list[Vector]()
    for t, lr in enumerate(lrs, 1):
        g = penalised(gradient(x, t), x, weight_decay, decoupled_weight_decay)
        m = (1 - b2) * fading(past, b2) if past else np.zeros_like(x)
        x = x - lr * np.sign(b1 * m + (1 - b1) * g) - shrink(x, lr, weight_decay, decoupled_weight_decay)
        past.append(g)
        path.append(x)
    return path
