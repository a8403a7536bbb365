"""One valley, three learning rates; one valley, three batch sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from slalom.core.ops import sqrt
from slalom.landscape.paths import landscape
from slalom.landscape.surfaces import Goal, Surface
from slalom.landscape.teaching.record import Panels
from slalom.landscape.teaching.registry import lesson

STEEP = 15.0  # the valley's largest curvature: gradient descent diverges beyond lr 2 / 15
ROWS, NOISE = 256, 1.0


def _near(x: Any, y: Any) -> Any:
    return 0.1 - sqrt(x**2 + y**2)


GOAL = Goal(_near, "(x, y) is within 0.1 of (0, 0)")


@lesson
def learning_rate() -> Panels:
    """Gradient descent in one valley with a learning rate that is too low, right, and too high."""
    valley = Surface(
        "valley", "Valley", lambda x, y: 0.5 * (x**2 + STEEP * y**2), (-2.0, 0.8, -1.4, 1.4), (-1.7, 0.5), GOAL, 40,
        minima=((0.0, 0.0),),
    )  # fmt: skip
    captions = {
        0.01: "too low: 40 steps lead nowhere",
        0.11: "right: there in {} steps",
        0.1345: "too high: beyond 2 / 15 = 0.133",
    }
    panels = []
    for lr, caption in captions.items():
        made = landscape(valley, ["sgd"], lr=lr)
        panels.append((caption.format(made["sgd"].arrived), made))
    words = "f = ½ (x² + 15 y²), 40 steps. Along the steep way a step multiplies y by 1 - 15 lr: above 1 in size beyond lr 0.133."
    return Panels("One valley, three learning rates", words, tuple(panels))


def regression() -> Surface:
    """Least squares with two weights; the rows are features and target, with noise. The minimum is at the origin, exactly."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, 2)) * [0.5, 1.6]
    noise = NOISE * rng.normal(size=ROWS)
    noise -= features @ np.linalg.lstsq(features, noise, rcond=None)[0]  # what no weights explain
    return Surface(
        "regression", "Least squares", lambda x, y, a, b, c: 0.5 * (a * x + b * y - c) ** 2, (-2.0, 0.8, -1.4, 1.4),
        (-1.7, 0.9), GOAL, 120, minima=((0.0, 0.0),), data=np.concatenate([features, noise[:, None]], axis=1), batch=1,
    )  # fmt: skip


@lesson
def batch_size() -> Panels:
    """Gradient descent by one sample, by 32, and by all of them: the same steps, less and less noise."""
    ground = regression()
    panels = []
    for batch, caption in ((1, "batch 1: every sample pulls its own way"), (32, "batch 32: a sixth of the noise"),
                           (None, f"all {ROWS}: the gradient itself")):  # fmt: skip
        panels.append((caption, landscape(replace(ground, batch=batch), ["sgd"], lr=0.08, seed=1 if batch else 0)))
    words = f"Least squares, {ROWS} samples, 120 steps of lr 0.08. The noise of a step falls as one over the root of the batch."
    return Panels("One valley, three batch sizes", words, tuple(panels))


@lesson
def rotation() -> Panels:
    """One ill-conditioned bowl, upright and turned by 45 degrees, every rule tuned: what the axes do for diagonal methods."""
    rules = ["momentum", "adagrad", "rmsprop(alpha=0.9)", "adam"]
    panels = []
    for angle, caption in ((0, "along the axes"), (45, "turned by 45°")):
        panels.append((caption, landscape("quadratic", rules, lr="tuned", rotate=angle, steps=1500)))
    words = (
        "f = ½ (x² + 1000 y²). Each rule at its best of 29 learning rates, 1500 steps each, drawn until f\u00a0<\u00a00.01. "
        "Methods that scale each coordinate by itself undo the bad condition along the axes, and lose that once it is turned."
    )
    return Panels("The same bowl, turned", words, tuple(panels))
