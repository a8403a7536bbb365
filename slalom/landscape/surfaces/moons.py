"""Noisy moons: two weights of a logistic regression, seen a few rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from slalom.core.ops import absolute, exp, log, maximum, sqrt
from slalom.landscape.surfaces.record import Floats, Goal, Surface
from slalom.landscape.surfaces.registry import register

ROWS, NOISE, SEED, BATCH = 400, 0.25, 0, 6
# The minimum of the mean over all rows, by Newton's method to float64; a test finds it again.
OPTIMUM = (1.3974661318, -3.6611385149)


def rows() -> Floats:
    """The data `[400, 2]`: each point of the moons times its label, -1 or 1."""
    from slalom.data.generators import moons

    raw = moons(ROWS, NOISE, SEED)
    return np.asarray(raw.x * (2 * raw.y - 1)[:, None], dtype=np.float64)


@register
def noisy_moons() -> Surface:
    """Every step sees six rows, so no two gradients agree."""

    def softplus(x: Any, y: Any, a: Any, b: Any) -> Any:
        z = -(x * a + y * b)
        return maximum(z, 0) + log(1 + exp(-absolute(z)))

    mx, my = OPTIMUM
    return Surface(
        "noisy_moons", "Noisy moons", softplus, (-3.5, 5.0, -5.5, 3.0), (-2.2, 2.0),
        Goal(lambda x, y: 0.5 - sqrt((x - mx) ** 2 + (y - my) ** 2), f"(x, y) is within 0.5 of ({mx:.3g}, {my:.3g})"), 150,
        {"sgd": 0.3, "momentum": 0.1, "nag": 0.1, "adagrad": 0.5, "adadelta": 20.0, "rmsprop": 0.06, "adam": 0.12,
         "adamax": 0.15, "nadam": 0.1, "radam": 0.15, "adamw": 0.12, "lion": 0.05},
        minima=(OPTIMUM,), data=rows(), batch=BATCH,
        about="batches of six rows of 400: momentum averages the noise away, and overshoots for it",
        source="after Alec Radford's animations (2014); logistic regression on two half circles",
    )  # fmt: skip
