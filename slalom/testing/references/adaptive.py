"""Adam and its family, from the papers; see the package for the signature they share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slalom.testing.references.history import Gradient, Vector, average, over, penalised, shrink, squares


def adam(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, b1: float, b2: float, eps: float, weight_decay: float,
    decoupled_weight_decay: bool, amsgrad: bool, bias_correction: bool, convention: str,
) -> list[Vector]:  # fmt: skip
    """Kingma & Ba 2015, Algorithm 1, and the epsilon-hat form of its section 2; Reddi et al. 2018, Algorithm 2."""
    path, past, top = [x], list[Vector](), np.zeros_like(x)
    for t, lr in enumerate(lrs, 1):
        past.append(penalised(gradient(x, t), x, weight_decay, decoupled_weight_decay))
        x = x - shrink(x, lr, weight_decay, decoupled_weight_decay)
        m, v = average(past, b1), average(squares(past), b2)
        top = np.maximum(top, v)
        v = top if amsgrad else v
        c1, c2 = 1.0 - b1**t, 1.0 - b2**t
        if not bias_correction or (amsgrad and convention == "paper"):
            c1 = c2 = 1.0
        if convention == "tf":
            x = x - lr * np.sqrt(c2) / c1 * m / (np.sqrt(v) + eps)
        else:
            x = x - lr * (m / c1) / (np.sqrt(v / c2) + eps)
        path.append(x)
    return path


def adamw(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, b1: float, b2: float, eps: float, weight_decay: float,
    decoupled_weight_decay: bool, schedule: float, amsgrad: bool, convention: str,
) -> list[Vector]:  # fmt: skip
    """Loshchilov & Hutter 2019, Algorithm 2, line 12: theta -= eta_t (alpha m_hat / (sqrt(v_hat) + eps) + lambda theta).

    `lrs` holds eta_t alpha, `schedule` a constant eta_t. torch and Keras put alpha before lambda too.
    """
    path, past, top = [x], list[Vector](), np.zeros_like(x)
    for t, lr in enumerate(lrs, 1):
        past.append(penalised(gradient(x, t), x, weight_decay, decoupled_weight_decay))
        m, v = average(past, b1), average(squares(past), b2)
        top = np.maximum(top, v)
        v = top if amsgrad else v
        root = np.sqrt(v / (1 - b2**t))
        root = root + (eps / np.sqrt(1 - b2**t) if convention == "tf" else eps)
        rate = schedule if convention == "paper" else lr
        x = x - (lr * (m / (1 - b1**t)) / root + shrink(x, rate, weight_decay, decoupled_weight_decay))
        path.append(x)
    return path


def adamax(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, b1: float, b2: float, eps: float, weight_decay: float,
    decoupled_weight_decay: bool, convention: str,
) -> list[Vector]:  # fmt: skip
    """Kingma & Ba 2015, eq. 12: u = max over the past of b2^(t-i) |g_i|."""
    path, past = [x], list[Vector]()
    for t, lr in enumerate(lrs, 1):
        past.append(penalised(gradient(x, t), x, weight_decay, decoupled_weight_decay))
        inside, outside = (eps, 0.0) if convention == "torch" else (0.0, eps)
        u = np.max([b2 ** (t - i) * (np.abs(g) + inside) for i, g in enumerate(past, 1)], axis=0)
        x = x - shrink(x, lr, weight_decay, decoupled_weight_decay)
        x = x - lr / (1 - b1**t) * over(average(past, b1), u + outside)
        path.append(x)
    return path


def lp_adam(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, b1: float, b2: float, p: float, eps: float,
    weight_decay: float, decoupled_weight_decay: bool,
) -> list[Vector]:  # fmt: skip
    """Kingma & Ba 2015, section 7.1, as written: v = (1 - b2^p) sum of b2^(p (t-i)) |g_i|^p, divided by its p-th root."""
    path, past = [x], list[Vector]()
    for t, lr in enumerate(lrs, 1):
        past.append(penalised(gradient(x, t), x, weight_decay, decoupled_weight_decay))
        v = average([np.abs(g) ** p for g in past], b2**p)
        root = (v / (1 - b2 ** (p * t))) ** (1 / p)
        x = x - shrink(x, lr, weight_decay, decoupled_weight_decay)
        x = x - lr * (average(past, b1) / (1 - b1**t)) / (root + eps)
        path.append(x)
    return path


def nadam(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, b1: float, b2: float, eps: float, weight_decay: float,
    momentum_decay: float, decoupled_weight_decay: bool, convention: str,
) -> list[Vector]:  # fmt: skip
    """Dozat 2016, Algorithm 2: momentum mu_t, corrected by the product of all mu so far."""
    path, past = [x], list[Vector]()
    for t, lr in enumerate(lrs, 1):
        past.append(penalised(gradient(x, t), x, weight_decay, decoupled_weight_decay))
        mu = [b1 * (1 - 0.96 ** (i * momentum_decay) / 2) for i in range(1, t + 2)]  # mu_1 ... mu_(t+1)
        if convention == "paper":
            m = np.sum([(1 - mu[i]) * np.prod(mu[i + 1 : t]) * g for i, g in enumerate(past)], axis=0)
        else:
            m = average(past, b1)
        m_bar = mu[t] * m / (1 - np.prod(mu)) + (1 - mu[t - 1]) * past[-1] / (1 - np.prod(mu[:t]))
        n_hat = average(squares(past), b2) / (1 - b2**t)
        x = x - shrink(x, lr, weight_decay, decoupled_weight_decay)
        x = x - lr * m_bar / (np.sqrt(n_hat) + eps)
        path.append(x)
    return path


def radam(
    x: Vector, gradient: Gradient, lrs: Sequence[float], *, b1: float, b2: float, eps: float, weight_decay: float,
    decoupled_weight_decay: bool, convention: str,
) -> list[Vector]:  # fmt: skip
    """Liu et al. 2020, Algorithm 2; torch: rectified above 5 instead of 4, eps beside the uncorrected root."""
    path, past = [x], list[Vector]()
    longest = 2 / (1 - b2) - 1
    for t, lr in enumerate(lrs, 1):
        past.append(penalised(gradient(x, t), x, weight_decay, decoupled_weight_decay))
        x = x - shrink(x, lr, weight_decay, decoupled_weight_decay)
        m_hat = average(past, b1) / (1 - b1**t)
        rho = longest - 2 * t * b2**t / (1 - b2**t)
        if rho > (4 if convention == "paper" else 5):
            r = np.sqrt((rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho))
            v, c = average(squares(past), b2), 1 - b2**t
            below = np.sqrt(v / c) + eps if convention == "paper" else (np.sqrt(v) + eps) / np.sqrt(c)
            x = x - lr * r * over(m_hat, below)
        else:
            x = x - lr * m_hat
        path.append(x)
    return path
