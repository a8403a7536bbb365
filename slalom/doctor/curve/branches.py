"""Deciding by experiment: the run goes on for a few steps at its own rate, at a lower one and at higher ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from slalom.core.errors import BadDataError
from slalom.doctor.curve import thresholds as bound
from slalom.doctor.curve.facts import Facts
from slalom.doctor.curve.record import FLAT, HEALTHY, SLOW, Figure
from slalom.doctor.curve.shapes import TOO_HIGH_LATE, TOO_LOW, Shape
from slalom.doctor.curve.values import Floats, numbers

LOWER, HIGHER = 0.1, (3.0, 10.0)
Branch = Callable[[float, int], Any]


def decide(branch: Branch, steps: int, f: Facts, found: Shape) -> tuple[Shape, bool, tuple[str, ...]]:
    """The shape with what the probe says: whether it decided, and notes.

    Branches see the same batches, so that their difference, over the second half of the steps, is free of the batches' noise.
    Too low a rate: a higher one wins at least 1 % of the fall so far, beyond two standard errors (too high a one loses so much
    that chance matters little). Too high: a tenth of it wins 5 %, beyond three. Neither: the rate is right, and what is flat has converged.
    """
    if f.cooled == 0:
        return found, False, ("the rate has fallen to 0, of which there is no multiple to probe",)
    now = _losses(branch, 1.0, steps)
    if not np.isfinite(now).all():
        figure = Figure("probe_now", math.nan, 0.0, "going on at the same rate, the loss is not finite")
        return Shape(found.shape, TOO_HIGH_LATE, (*found.evidence, figure)), True, ()
    base = max(f.fall, 0.05 * f.scale)
    won = []
    for times in HIGHER:
        figure, wins = _compare(now, _losses(branch, times / f.cooled, steps), base, bound.BETTER_HIGHER, bound.SURE_HIGHER, f"at {times:g} times the rate")
        won.append(figure)
        if wins:
            decayed = ("the rate has decayed to {:.2g} of its highest: it may also have decayed too early".format(f.cooled),)
            notes = decayed if f.cooled <= bound.COOLED else ()
            return Shape(SLOW, TOO_LOW, (figure, *found.evidence)), True, notes
    if f.cooled > bound.COOLED:
        figure, wins = _compare(now, _losses(branch, LOWER, steps), base, bound.WORSE_NOW, bound.SURE_LOWER, "at a tenth of the rate")
        won.append(figure)
        if wins:
            return Shape(FLAT, TOO_HIGH_LATE, (figure, *found.evidence)), True, ()
    shape = HEALTHY if found.shape == SLOW else found.shape
    notes = () if found.shape != SLOW else ("slow, but no faster at a higher rate: the model, the data or the loss set the pace",)
    if shape == FLAT:
        notes = (*notes, "no other rate does better from here: it has converged")
    return Shape(shape, HEALTHY, (*found.evidence, *won)), True, notes


def _losses(branch: Branch, factor: float, steps: int) -> Floats:
    made = numbers("the probe's losses", branch(factor, steps))
    if len(made) != steps:
        raise BadDataError(f"probe({factor:g}, {steps}) must return {steps} losses, got {len(made)}")
    return made


def _compare(now: Floats, other: Floats, base: float, least: float, errors: float, where: str) -> tuple[Figure, bool]:
    """How much lower the other branch ends, as a share of the fall so far; and whether that is enough and no noise."""
    words = f"lower than at the rate now, {where}, as a share of the fall so far"
    difference = (now - other)[len(now) // 2 :] / base
    if not np.isfinite(difference).all():
        return Figure("probe", -math.inf, least, words), False
    gain = float(difference.mean())
    error = float(difference.std(ddof=1)) / math.sqrt(len(difference))
    figure = Figure("probe", gain, least, words)
    return figure, figure.crossed and gain > errors * error
