"""A few small problems whose minima are known, in NumPy float64, for everything that is checked by running it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """A function to minimise: `value(x)`, `gradient(x, t)`, a start, and its minimiser where one is known.

    `gradient` takes the step `t` (from 1) because a forced problem, like a batch, changes from step to step.
    """

    name: str
    source: str
    start: Vector
    value: Callable[[Vector], float]
    gradient: Callable[[Vector, int], Vector]
    minimiser: Vector | None = None


def quadratic(condition: float = 100.0, n: int = 6, rotated: bool = True, seed: int = 0) -> Problem:
    """Half of x^T A x, eigenvalues from 1 down to 1 / condition, axes turned at random if `rotated`.

    >>> p = quadratic(condition=10.0)
    >>> p.value(p.minimiser), float(abs(p.gradient(p.minimiser, 1)).max())
    (0.0, 0.0)
    """
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(n, n)))[0] if rotated else np.eye(n)
    a = axes @ np.diag(np.geomspace(1.0, 1.0 / condition, n)) @ axes.T
    return Problem(
        f"quadratic, condition {condition:g}",
        "Nocedal & Wright 2006, section 3.3",
        rng.normal(size=n),
        lambda x: float(0.5 * x @ a @ x),
        lambda x, t: a @ x,
        np.zeros(n),
    )


def rosenbrock() -> Problem:
    """Rosenbrock's bent valley in two dimensions, minimum 0 at (1, 1).

    >>> rosenbrock().value(rosenbrock().minimiser)
    0.0
    """

    def gradient(x: Vector, t: int) -> Vector:
        slope = x[1] - x[0] ** 2
        return np.array([-400.0 * x[0] * slope - 2.0 * (1.0 - x[0]), 200.0 * slope])

    return Problem(
        "Rosenbrock",
        "Rosenbrock 1960, Comput. J. 3, 175",
        np.array([-1.2, 1.0]),
        lambda x: float(100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2),
        gradient,
        np.ones(2),
    )


def logistic(samples: int = 80, n: int = 5, ridge: float = 1e-2, seed: int = 0) -> Problem:
    """Ridge logistic regression on noisy seeded labels, its minimiser found by Newton's method.

    >>> p = logistic()
    >>> bool(np.abs(p.gradient(p.minimiser, 1)).max() < 1e-14)
    True
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, n))
    y = np.where(x @ rng.normal(size=n) + rng.normal(size=samples) > 0, 1.0, -1.0)

    def weight(w: Vector) -> Vector:
        return np.asarray(1.0 / (1.0 + np.exp(y * (x @ w))))

    def gradient(w: Vector, t: int) -> Vector:
        return np.asarray(-(x.T @ (y * weight(w))) / samples + ridge * w)

    w = np.zeros(n)
    for _ in range(20):
        s = weight(w)
        w = w - np.linalg.solve((x.T * (s * (1 - s))) @ x / samples + ridge * np.eye(n), gradient(w, 0))
    return Problem(
        "logistic regression",
        "Hastie, Tibshirani & Friedman 2009, section 4.4",
        np.zeros(n),
        lambda v: float(np.logaddexp(0.0, -y * (x @ v)).mean() + 0.5 * ridge * v @ v),
        gradient,
        w,
    )


def forced(n: int = 8, seed: int = 0) -> Problem:
    """A contraction towards a point, pushed by waves of many sizes: what twins are compared on.

    Trajectories under it stay bounded and forget rounding, so two right implementations agree to the last digits for
    as long as one likes; gradients span six decades; the last coordinate never has a gradient, as a dead unit's.
    """
    rng = np.random.default_rng(seed)
    size = np.append(np.geomspace(1e-4, 1e2, n - 1), 0.0)
    pull = 5e-3 * size  # weak beside the waves, or a step that is scaled by the gradient would make it chaotic
    rate, phase = rng.uniform(0.1, 2.5, n), rng.uniform(0, 6, n)
    centre = rng.normal(size=n)

    def gradient(x: Vector, t: int) -> Vector:
        return np.asarray(pull * (x - centre) + size * np.cos(rate * t + phase))

    return Problem(
        "forced contraction",
        "constructed",
        rng.normal(size=n),
        lambda x: float(0.5 * pull @ (x - centre) ** 2),
        gradient,
        None,
    )


def zoo() -> dict[str, Problem]:
    """Every problem by a short name.

    >>> sorted(zoo())
    ['forced', 'logistic', 'quadratic', 'rosenbrock']
    """
    return {"quadratic": quadratic(), "rosenbrock": rosenbrock(), "logistic": logistic(), "forced": forced()}
