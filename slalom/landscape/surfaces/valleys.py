"""One minimum each, and a hard or an easy way to it."""

from __future__ import annotations

from slalom.core.ops import sqrt
from slalom.landscape.surfaces.record import Goal, Surface
from slalom.landscape.surfaces.registry import register


def _near(mx: float, my: float, radius: float) -> Goal:
    return Goal(lambda x, y: radius - sqrt((x - mx) ** 2 + (y - my) ** 2), f"(x, y) is within {radius:g} of ({mx:g}, {my:g})")


@register
def beale() -> Surface:
    """A flat floor between steep walls: the gradient at the start is (109, 456)."""
    return Surface(
        "beale", "Beale", lambda x, y: (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2,
        (-1.0, 4.5, -2.75, 2.75), (2.0, 1.7), _near(3, 0.5, 0.1), 300,
        {"sgd": 1e-3, "momentum": 1e-3, "nag": 1e-3, "adagrad": 0.5, "adadelta": 50.0, "rmsprop": 0.03, "adam": 0.1,
         "adamax": 0.1, "nadam": 0.06, "radam": 4e-3, "adamw": 0.1, "lion": 0.02},
        minima=((3.0, 0.5),), log=True,
        about="momentum shoots across the floor and comes back; the scaled methods stay on their side",
        source="Beale 1958; the contour picture of Alec Radford's animations (2014)",
    )  # fmt: skip


@register
def rosenbrock() -> Surface:
    """A bent, narrow valley with a nearly level floor."""
    return Surface(
        "rosenbrock", "Rosenbrock", lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2, (-2.1, 2.1, -1.0, 3.2), (-1.5, 2.0),
        _near(1, 1, 0.1), 300,
        {"sgd": 5e-4, "momentum": 2e-4, "nag": 2e-4, "adagrad": 0.5, "adadelta": 50.0, "rmsprop": 0.02, "adam": 0.1,
         "adamax": 0.1, "nadam": 0.1, "radam": 4e-3, "adamw": 0.1, "lion": 0.01},
        minima=((1.0, 1.0),), log=True,
        about="into the bent valley at once, then along its floor for ever",
        source="Rosenbrock 1960",
    )  # fmt: skip


@register
def booth() -> Surface:
    """A plain tilted bowl; every method should get there."""
    return Surface(
        "booth", "Booth", lambda x, y: (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2, (-6.0, 8.0, -5.0, 9.0), (-4.0, -3.0),
        _near(1, 3, 0.1), 120,
        {"sgd": 0.05, "momentum": 0.02, "nag": 0.02, "adagrad": 2.0, "adadelta": 100.0, "rmsprop": 0.2, "adam": 0.5,
         "adamax": 0.5, "nadam": 0.4, "radam": 0.5, "adamw": 0.5, "lion": 0.1},
        minima=((1.0, 3.0),),
        about="an easy bowl, condition 9, whose axes are not the coordinates'",
        source="Jamil & Yang 2013, arXiv:1308.4008, no. 17",
    )  # fmt: skip


@register
def quadratic() -> Surface:
    """Curvatures 1 and 1000: what the learning rate must spare one way it wastes the other."""
    return Surface(
        "quadratic", "Ill-conditioned quadratic", lambda x, y: 0.5 * (x**2 + 1000 * y**2), (-1.6, 1.6, -1.6, 1.6), (1.0, 0.7),
        Goal(lambda x, y: 0.01 - 0.5 * (x**2 + 1000 * y**2), "f < 0.01"), 300,
        {"sgd": 1.8e-3, "momentum": 2.6e-3, "nag": 1e-3, "adagrad": 0.5, "adadelta": 50.0, "rmsprop": 0.02, "adam": 0.1,
         "adamax": 0.1, "nadam": 0.05, "radam": 0.01, "adamw": 0.1, "lion": 0.02},
        minima=((0.0, 0.0),), log=True,
        about="condition 1000; along the axes the methods that scale each coordinate undo it, turned by 45 degrees they cannot",
        source="claims O9 and O13",
    )  # fmt: skip
