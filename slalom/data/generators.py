"""Made-up data sets: as many rows as wanted, from a seed of their own (`seed` of `load` seeds the split alone)."""

from __future__ import annotations

import math

import numpy as np

from slalom.core.errors import BadValueError
from slalom.data.raw import Raw


def spirals(n: int = 1000, noise: float = 0.1, arms: int = 2, turns: float = 1.5, seed: int = 0) -> Raw:
    """Spiral arms wound around each other in the plane, a class an arm; what a linear model cannot learn.

    `noise`: standard deviation of the Gaussian noise on both coordinates; the outer radius is `turns`, so arms lie
    `1 / arms` apart.
    """
    _positive("spirals", n=n, arms=arms, turns=turns)
    _at_least_zero("spirals", noise=noise, seed=seed)
    if arms < 2:
        raise BadValueError(f"spirals: arms must be >= 2, got {arms}")
    rng = _generator(seed)
    y = np.arange(n) % arms
    radius = turns * np.sqrt(rng.random(n))  # the root spreads points evenly along the arm
    angle = 2 * math.pi * (radius + y / arms)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1) + noise * rng.standard_normal((n, 2))
    return Raw("spirals", x, y, ("x", "y"), "arm", tuple(map(str, range(arms))), "classification")


def moons(n: int = 1000, noise: float = 0.2, seed: int = 0) -> Raw:
    """Two interleaved half circles in the plane, a class each.

    `noise`: standard deviation of the Gaussian noise on both coordinates; the circles' radius is 1.
    """
    from sklearn.datasets import make_moons

    _positive("moons", n=n)
    _at_least_zero("moons", noise=noise, seed=seed)
    x, y = make_moons(n_samples=n, noise=noise, random_state=seed)
    return Raw("moons", x, y, ("x", "y"), "moon", ("0", "1"), "classification")


def zipf(n: int = 3000, features: int = 300, top: float = 0.5, exponent: float = 1.0, seed: int = 0) -> Raw:
    """Sparse text-like rows: which of 300 words occur, with Zipf frequencies; two classes by a noisy linear rule.

    Word j (from 1) occurs with probability `top / j**exponent`, on its own. The class is drawn from the logistic model
    whose weights are standard normal and whose mean logit is 0, so rare words tell as much as common ones and no model
    is right every time. Words are 0 or 1 and are not scaled: zeros stay zero, as an embedding's gradient does.

    After the sparse tasks of Duchi, Hazan & Singer 2011, "Adaptive subgradient methods", section 6.
    """
    _positive("zipf", n=n, features=features)
    _at_least_zero("zipf", exponent=exponent, seed=seed)
    if not 0 < top <= 1:
        raise BadValueError(f"zipf: top must be in (0, 1], got {top}; it is the most frequent word's probability")
    rng = _generator(seed)
    frequency = top / np.arange(1, features + 1) ** exponent
    weight = rng.standard_normal(features)
    x = (rng.random((n, features)) < frequency).astype(np.float64)
    logit = x @ weight - frequency @ weight
    y = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    words = tuple(f"word {j}" for j in range(1, features + 1))
    note = f"{100 * x.mean():.1f} % of the inputs are 1, the rest 0; not scaled, so that zeros stay zero"
    return Raw("zipf", x, y, words, "class", ("0", "1"), "classification", scaling="none", notes=(note,))


def teacher(n: int = 2000, features: int = 8, width: int = 16, noise: float = 0.05, seed: int = 0) -> Raw:
    """What a random network with two hidden layers answers to normal inputs, to be learnt by another: regression.

    Half of its `width` units a layer are tanh, half ReLU, so that neither kind of student is at home; weights are normal with
    variance 2 / fan-in. `noise`: standard deviation of what is added, as a share of the answers' own.
    """
    _positive("teacher", n=n, features=features, width=width)
    _at_least_zero("teacher", noise=noise, seed=seed)
    rng = _generator(seed)
    x = rng.standard_normal((n, features))
    h = x
    for _ in range(2):
        a = h @ rng.standard_normal((h.shape[1], width)) * math.sqrt(2 / h.shape[1])
        h = np.where(np.arange(width) < width // 2, np.tanh(a), np.maximum(a, 0))
    y = h @ rng.standard_normal(width) / math.sqrt(width)
    y = y + noise * y.std() * rng.standard_normal(n)
    return Raw("teacher", x, y, tuple(f"x{j}" for j in range(1, features + 1)), "answer", task="regression")


def noisy_digits(n: int = 200, wrong: float = 0.2, seed: int = 0) -> Raw:
    """Handwritten digits with few training rows and wrong labels among them, which a network learns by heart: 10 classes.

    `n` rows train and 300 validate, a share `wrong` of both with labels drawn anew; the others test, with right labels. The
    split is its own.
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    _positive("noisy_digits", n=n)
    _at_least_zero("noisy_digits", wrong=wrong, seed=seed)
    if wrong > 1 or n > 1000:
        raise BadValueError(f"noisy_digits: n must be in 1..1000 and wrong in [0, 1], got n={n}, wrong={wrong}")
    rng = _generator(seed)
    order = rng.permutation(len(x))
    rows = order[:n], order[n : n + 300], order[n + 300 :]
    seen = np.concatenate(rows[:2])
    bad = seen[rng.random(len(seen)) < wrong]
    y = y.copy()
    y[bad] = rng.integers(0, 10, len(bad))
    note = f"of the rows to train and validate, a share of {wrong:g} has a label drawn anew; the test rows' are right"
    features = tuple(f"pixel_{i}_{j}" for i in range(8) for j in range(8))
    return Raw(
        "noisy_digits", x, y, features, "class", tuple(map(str, range(10))), "classification", rows, "whole",
        ("an 8x8 image a row, flattened to 64 columns", note),
    )  # fmt: skip


def _generator(seed: int) -> np.random.Generator:
    """Random numbers apart from those that split the data by the same seed: else rows would be parted by what was drawn first."""
    return np.random.default_rng([seed, 0x5EED])


def _positive(name: str, **values: float) -> None:
    for key, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise BadValueError(f"{name}: {key} must be > 0, got {value}")


def _at_least_zero(name: str, **values: float) -> None:
    for key, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise BadValueError(f"{name}: {key} must be >= 0, got {value}")
