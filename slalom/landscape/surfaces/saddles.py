"""Places where the slope is nought and that are no minimum: a saddle, a monkey saddle, a long valley that starts on a ridge."""

from __future__ import annotations

from slalom.core.ops import absolute, exp
from slalom.landscape.surfaces.record import Goal, Surface
from slalom.landscape.surfaces.registry import register


@register
def saddle() -> Surface:
    """Down to both sides from a pass; the start is all but on the ridge line."""
    return Surface(
        "saddle", "Saddle", lambda x, y: x**2 - y**2, (-1.6, 1.6, -1.6, 1.6), (-1.0, 1e-3),
        Goal(lambda x, y: absolute(y) - 1, "|y| > 1"), 140,
        {"sgd": 0.01, "momentum": 0.01, "nag": 0.01, "adagrad": 0.1, "adadelta": 5.0, "rmsprop": 0.02, "adam": 0.03,
         "adamax": 0.04, "nadam": 0.03, "radam": 0.05, "adamw": 0.03, "lion": 0.015},
        saddles=((0.0, 0.0),),
        about="who leaves the saddle, and when; momentum first overshoots across it",
        source="after Alec Radford's animations (2014)",
    )  # fmt: skip


@register
def monkey_saddle() -> Surface:
    """Three ways down: two for the legs, one for the tail. Even the curvature is nought in the middle."""
    return Surface(
        "monkey_saddle", "Monkey saddle", lambda x, y: x**3 - 3 * x * y**2, (-1.6, 1.6, -1.6, 1.6), (0.9, 1e-3),
        Goal(lambda x, y: -1 - (x**3 - 3 * x * y**2), "f < -1"), 300,
        {"sgd": 0.03, "momentum": 0.01, "nag": 0.01, "adagrad": 0.1, "adadelta": 5.0, "rmsprop": 0.02, "adam": 0.03,
         "adamax": 0.04, "nadam": 0.03, "radam": 0.03, "adamw": 0.03, "lion": 0.015},
        saddles=((0.0, 0.0),),
        about="a saddle with three valleys, flat to second order in the middle",
        source="Hilbert & Cohn-Vossen 1932",
    )  # fmt: skip


@register
def long_valley() -> Surface:
    """A trough that falls away slowly to both ends; across it the slope is steep, along it there is nearly none at the start."""
    return Surface(
        "long_valley", "Long valley", lambda x, y: 4 * x**2 + 2 * exp(-(y**2) / 4), (-2.7, 2.7, -1.2, 4.2), (1.0, 0.02),
        Goal(lambda x, y: absolute(y) - 2, "|y| > 2"), 160,
        {"sgd": 0.02, "momentum": 0.02, "nag": 0.02, "adagrad": 0.1, "adadelta": 10.0, "rmsprop": 0.02, "adam": 0.04,
         "adamax": 0.05, "nadam": 0.03, "radam": 0.06, "adamw": 0.04, "lion": 0.02},
        saddles=((0.0, 0.0),),
        about="plain gradient descent crawls along the floor; momentum swings across it, then runs",
        source="after Alec Radford's animations (2014)",
    )  # fmt: skip
