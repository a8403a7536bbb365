"""Rules that divide by a history of squares, from the papers; see the package for the signature they share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slalom.testing.references.history import Gradient, Vector, average, fading, penalised, shrink, squares, variance


def adagrad(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, lr_decay: float, weight_decay: float,
    decoupled_weight_decay: bool, initial_accumulator_value: float, eps: float, exponent: float, convention: str,
) -> list[Vector]:  # fmt: skip
    """Duchi et al. 2011: H = delta I + diag(s), s the 2-norm of all gradients; Keras: delta under the root."""
    path, past = [x], list[Vector]()
    for t, lr in enumerate(lrs, 1):
        g = penalised(gradient(x, t), x, weight_decay, decoupled_weight_decay)
        past.append(g)
        total = initial_accumulator_value + np.sum(squares(past), axis=0)
        below = np.power(total + eps, exponent) if convention == "tf" else np.power(total, exponent) + eps
        x = x - shrink(x, lr, weight_decay, decoupled_weight_decay)
        x = x - lr / (1 + (t - 1) * lr_decay) * g / below
        path.append(x)
    return path


def adadelta(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, rho: float, eps: float, weight_decay: float,
    decoupled_weight_decay: bool, correct_units: bool, lr_inside: bool, convention: str,
) -> list[Vector]:  # fmt: skip
    """Zeiler 2012, Algorithm 1, with lr on the finished step; the average is of steps before or after lr."""
    path, past, steps = [x], list[Vector](), list[Vector]()
    for t, lr in enumerate(lrs, 1):
        past.append(penalised(gradient(x, t), x, weight_decay, decoupled_weight_decay))
        rms_g = np.sqrt(average(squares(past), rho) + eps)
        rms_x = np.sqrt((average(squares(steps), rho) if steps else 0.0) + eps) if correct_units else 1.0
        delta = -rms_x / rms_g * past[-1]
        steps.append(lr * delta if lr_inside else delta)
        x = x - shrink(x, lr, weight_decay, decoupled_weight_decay)
        x = x + lr * delta
        path.append(x)
    return path


def windowed_adadelta(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, eps: float, weight_decay: float,
    decoupled_weight_decay: bool, w: int,
) -> list[Vector]:  # fmt: skip
    """Zeiler 2012, section 3.1: Adagrad over the last w gradients."""
    path, past = [x], list[Vector]()
    for t, lr in enumerate(lrs, 1):
        past.append(penalised(gradient(x, t), x, weight_decay, decoupled_weight_decay))
        x = x - shrink(x, lr, weight_decay, decoupled_weight_decay)
        x = x - lr * past[-1] / np.sqrt(np.sum(squares(past[-w:]), axis=0) + eps)
        path.append(x)
    return path


def rmsprop(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, alpha: float, eps: float, weight_decay: float,
    decoupled_weight_decay: bool, momentum: float, initial_accumulator_value: float, centered: bool, convention: str,
) -> list[Vector]:  # fmt: skip
    """Hinton's lecture and Graves 2013, eq. 38-41: n the mean square, less the squared mean when centred."""
    path, past, steps = [x], list[Vector](), list[Vector]()
    for t, lr in enumerate(lrs, 1):
        g = penalised(gradient(x, t), x, weight_decay, decoupled_weight_decay)
        past.append(g)
        x = x - shrink(x, lr, weight_decay, decoupled_weight_decay)
        spread = variance(past, alpha, initial_accumulator_value)
        n = spread if centered else average(squares(past), alpha, initial_accumulator_value)
        if convention == "torch":
            steps.append(g / (np.sqrt(n) + eps))
            x = x - lr * fading(steps, momentum)
        else:
            steps.append(lr * g / np.sqrt(n + eps))
            x = x - fading(steps, momentum)
        path.append(x)
    return path
