"""What becomes of the step: Adagrad's shrinks, Adam's is corrected at the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from slalom.core.rule import Settings
from slalom.landscape.teaching.record import Chart, Charts, Curve, Floats
from slalom.landscape.teaching.registry import lesson
from slalom.rules import adagrad, adam, rmsprop

MOVES = 2000  # the step at which the minimum moves
LONG = 3000


def follow(settings: Settings, gradient: Callable[[float, int], float], steps: int) -> tuple[Floats, list[Any]]:
    """A rule on one number from 0, in plain floats: every point `[steps + 1]` and every state. `gradient(p, t)`."""
    start = settings.init(torch.zeros(1, dtype=torch.float64))
    s = start._replace(**{k: float(getattr(start, k)) for k in settings.states})
    h = settings.hypers()
    path, states = [0.0], [s]
    for t in range(1, steps + 1):
        p, s = settings.rule.update(path[-1], gradient(path[-1], t), s, h, t)
        path.append(float(p))
        states.append(s)
    return np.array(path), states


def target(t: int) -> float:
    """Where the minimum is at a step."""
    return 1.0 if t <= MOVES else 3.0


@lesson
def adagrad_shrinks() -> Charts:
    """Adagrad's rate shrinks as one over the root of the steps, and cannot follow a minimum that moves late; RMSprop's does not.

    The effective rate is the step divided by the gradient, both rules under a gradient of 1.
    """
    rules = {"adagrad, lr 0.1": adagrad(lr=0.1), "rmsprop, lr 0.01": rmsprop(lr=0.01)}
    t = np.arange(1, LONG + 1, dtype=np.float64)
    rates = [Curve(label, t, -np.diff(follow(made, lambda p, t: 1.0, LONG)[0])) for label, made in rules.items()]
    rates.append(Curve("0.1 / √t", t, 0.1 / np.sqrt(t), thin=True))
    noise = np.random.default_rng(0).normal(size=LONG + 1)
    ways = [
        Curve(label, np.arange(LONG + 1.0), follow(made, lambda p, t: p - target(t) + noise[t], LONG)[0])
        for label, made in rules.items()
    ]
    ways.append(Curve("the minimum", np.arange(LONG + 1.0), np.array([target(t) for t in range(LONG + 1)]), thin=True))
    return Charts(
        "Adagrad's shrinking rate",
        "Adagrad divides by the root of the sum of all squared gradients, RMSprop by that of a running mean.",
        (Chart("Step divided by gradient, under a gradient of 1", "step", "effective rate", tuple(rates), "xy"),
         Chart(f"A minimum that moves at step {MOVES}, with noise", "step", "p", tuple(ways))),
    )  # fmt: skip


@lesson
def bias_correction() -> Charts:
    """Adam's averages start at 0 and are too small at first; what the correction makes of them, and of the steps."""
    steps = 60
    with_it, without = adam(lr=1.0), adam(lr=1.0, bias_correction=False)
    path, states = follow(with_it, lambda p, t: 1.0, steps)
    raw = follow(without, lambda p, t: 1.0, steps)[0]
    t = np.arange(1, steps + 1, dtype=np.float64)
    b1 = with_it.values["b1"]
    m, v = (np.array([float(getattr(s, name)) for s in states[1:]]) for name in ("m", "v"))
    averages = (
        Curve("m", t, m), Curve("v", t, v), Curve("both corrected: m / (1 - b1^t), v / (1 - b2^t)", t, m / (1 - b1**t)),
    )  # fmt: skip
    sizes = (Curve("corrected", t, -np.diff(path)), Curve("not corrected", t, -np.diff(raw)))
    return Charts(
        "Bias correction's first steps",
        "Adam, b1 0.9, b2 0.999. Uncorrected, v lags more than m, so the first steps are too long, not too short.",
        (Chart("The averages, under a gradient of 1", "step", "", averages),
         Chart("Step, in learning rates", "step", "", sizes)),
    )  # fmt: skip
