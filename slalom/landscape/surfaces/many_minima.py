"""More than one minimum: where a method ends depends on how it sets out."""

from __future__ import annotations

import math
from typing import Any

from slalom.core.ops import cos, minimum, sqrt
from slalom.landscape.surfaces.record import Goal, Surface
from slalom.landscape.surfaces.registry import register

# Its four minima, all at height 0; (3, 2) is exact, the others are roots of a cubic, to float64.
HIMMELBLAU = ((3.0, 2.0), (-2.805118086952745, 3.131312518250573), (-3.779310253377747, -3.283185991286170),
              (3.584428340330492, -1.848126526964404))  # fmt: skip


@register
def himmelblau() -> Surface:
    """Four equal minima around a hill."""

    def near(x: Any, y: Any) -> Any:
        away = [sqrt((x - a) ** 2 + (y - b) ** 2) for a, b in HIMMELBLAU]
        return 0.1 - minimum(minimum(away[0], away[1]), minimum(away[2], away[3]))

    return Surface(
        "himmelblau", "Himmelblau", lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2, (-5.5, 5.5, -5.5, 5.5), (-0.4, -1.2),
        Goal(near, "(x, y) is within 0.1 of a minimum"), 120,
        {"sgd": 0.01, "momentum": 5e-3, "nag": 5e-3, "adagrad": 0.5, "adadelta": 50.0, "rmsprop": 0.05, "adam": 0.2,
         "adamax": 0.2, "nadam": 0.1, "radam": 0.05, "adamw": 0.2, "lion": 0.05},
        minima=HIMMELBLAU, log=True,
        about="four equal minima: which one a method finds depends on how it sets out",
        source="Himmelblau 1972",
    )  # fmt: skip


@register
def rastrigin() -> Surface:
    """A bowl full of pits."""
    turn = 2 * math.pi
    return Surface(
        "rastrigin", "Rastrigin", lambda x, y: 20 + x**2 + y**2 - 10 * (cos(turn * x) + cos(turn * y)),
        (-4.2, 4.2, -4.2, 4.2), (-3.3, 2.7), Goal(lambda x, y: 0.1 - sqrt(x**2 + y**2), "(x, y) is within 0.1 of (0, 0)"), 150,
        {"sgd": 1e-3, "momentum": 2e-3, "nag": 2e-3, "adagrad": 0.5, "adadelta": 20.0, "rmsprop": 0.02, "adam": 0.1,
         "adamax": 0.1, "nadam": 0.1, "radam": 0.02, "adamw": 0.1, "lion": 0.02},
        minima=((0.0, 0.0),),
        about="a pit at every whole number: most methods stay in the first they meet",
        source="Rastrigin 1974; Jamil & Yang 2013",
    )  # fmt: skip
