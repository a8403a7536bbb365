"""Momentum and Nesterov's gradient, taken apart into arrows."""

from __future__ import annotations

from typing import Any

import torch

from slalom.core.ops import sqrt
from slalom.landscape.surfaces import Goal, Surface
from slalom.landscape.teaching.record import Arrow, Vectors
from slalom.landscape.teaching.registry import lesson
from slalom.rules import momentum, nag

LR, MU = 0.085, 0.75
START, VELOCITY = (-1.75, 1.0), (0.75, -0.42)


def _bowl() -> Surface:
    goal = Goal(lambda x, y: 0.1 - sqrt(x**2 + y**2), "(x, y) is within 0.1 of (0, 0)")
    box = (-2.05, 0.35, -1.1, 1.3)
    return Surface("bowl", "Bowl", lambda x, y: 0.5 * (0.6 * x**2 + 6 * y**2), box, START, goal, 2, minima=((0.0, 0.0),))


def _pair(values: Any) -> tuple[float, float]:
    x, y = (float(v) for v in values)
    return x, y


@lesson
def momentum_and_nag() -> Vectors:
    """Two steps of momentum and of NAG from one point and velocity: where each takes its gradient.

    Computed by the rules themselves, with lr inside the velocity (the papers' form); NAG's parameter is its look-ahead point.
    """
    ground = _bowl()
    methods = []
    for name, made in (("momentum", momentum(lr=LR, momentum=MU, convention="paper")),
                       ("NAG", nag(lr=LR, momentum=MU, convention="paper"))):  # fmt: skip
        where, v = torch.tensor(START, dtype=torch.float64), torch.tensor(VELOCITY, dtype=torch.float64)
        p = where + MU * v if name == "NAG" else where.clone()
        state = made.init(p)._replace(v=v)
        arrows: list[Arrow] = []
        for t in (1, 2):
            carried = where + MU * state.v
            gradient = torch.from_numpy(ground.slopes(p.numpy()[None])[1][0])
            p, state = made.step(p, gradient, state, t)
            after = p - MU * state.v if name == "NAG" else p
            arrows += [
                Arrow("carried", _pair(where), _pair(carried), t),
                Arrow("slope", _pair(carried), _pair(after), t),
                Arrow("step", _pair(where), _pair(after), t),
            ]
            where = after
        methods.append((name, tuple(arrows)))
    words = (
        f"lr {LR}, momentum {MU}, one velocity to begin with. Momentum adds the slope of where it stands, "
        "NAG that of where the velocity leads: it turns earlier, and swings less."
    )
    return Vectors("Momentum and NAG, two steps", words, ground, tuple(methods))
