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
LEAST = 3  # losses of a branch
Branch = Callable[..., Any]  # (factor, steps), or where it has `orders`, (factor, steps, order)


def decide(branch: Branch, steps: int, f: Facts, found: Shape) -> tuple[Shape, bool, tuple[str, ...]]:
    """The shape with what the probe says: whether it decided, and notes.

    Branches see the same batches and are measured on the same rows, so that their difference is free of the batches' noise.
    Too low a rate: a higher one wins at least 1 % of the fall so far. Too high: a tenth of it wins 10 %. By the median of the
    looks, four of five of which agree (a mean and its error say less, the more the run jumps about). Neither: the rate is right,
    and what is flat has converged. That a lower rate wins is asked again on every other order of the batches that the probe has
    (`orders`): a right rate swings too, and at the height of a swing any lower one is better for a while.
    """
    if f.cooled == 0:
        return found, False, ("the rate has fallen to 0, of which there is no multiple to probe",)
    now = _losses(branch, 1.0, steps, None)
    if not np.isfinite(now).all():
        figure = Figure("probe_now", math.nan, 0.0, "going on at the same rate, the loss is not finite")
        return Shape(found.shape, TOO_HIGH_LATE, (*found.evidence, figure)), True, ()
    base = max(f.fall, 0.05 * f.scale)
    won = []
    for times in HIGHER:
        figure, wins = _compare(
            now,
            _losses(branch, times / f.cooled, steps, len(now)),
            base,
            bound.BETTER_HIGHER,
            f"at {times:g} times the rate",
        )
        won.append(figure)
        if wins:
            decayed = (f"the rate has decayed to {f.cooled:.2g} of its highest: it may also have decayed too early",)
            notes = decayed if f.cooled <= bound.COOLED else ()
            return Shape(SLOW, TOO_LOW, (figure, *found.evidence)), True, notes
    if f.cooled > bound.COOLED:
        figure, wins = _lower(branch, steps, now, base, 0)
        for order in range(1, getattr(branch, "orders", 1)):
            if wins:
                again = _losses(branch, 1.0, steps, len(now), order)
                # Where going on is not finite on this order, the lower rate is no worse.
                other, wins = (figure, True) if not np.isfinite(again).all() else _lower(branch, steps, again, base, order)
                figure = min(figure, other, key=lambda f: f.value) if wins else other
        won.append(figure)
        if wins:
            return Shape(FLAT, TOO_HIGH_LATE, (figure, *found.evidence)), True, ()
    shape = HEALTHY if found.shape == SLOW else found.shape
    notes = () if found.shape != SLOW else ("slow, but no faster at a higher rate: the model, the data or the loss set the pace",)
    if shape == FLAT:
        notes = (*notes, "no other rate does better from here: it has converged")
    return Shape(shape, HEALTHY, (*found.evidence, *won)), True, notes


def _lower(branch: Branch, steps: int, now: Floats, base: float, order: int) -> tuple[Figure, bool]:
    lower = _losses(branch, LOWER, steps, len(now), order)
    return _compare(now, lower, base, bound.WORSE_NOW, "at a tenth of the rate")


def _losses(branch: Branch, factor: float, steps: int, count: int | None, order: int = 0) -> Floats:
    made = numbers("the probe's losses", branch(factor, steps, order) if order else branch(factor, steps))
    if len(made) < LEAST or (count is not None and len(made) != count):
        wanted = f"at least {LEAST}" if count is None else f"{count}, as probe(1, {steps}) did,"
        raise BadDataError(f"probe({factor:g}, {steps}) must return {wanted} losses to compare one by one, got {len(made)}")
    return made


def _compare(now: Floats, other: Floats, base: float, least: float, where: str) -> tuple[Figure, bool]:
    """How much lower the other branch ends, as a share of the fall so far; and whether that is enough and no noise."""
    words = f"lower than at the rate now, {where}, as a share of the fall so far"
    difference = (now - other) / base
    if not np.isfinite(difference).all():
        return Figure("probe", -math.inf, least, words), False
    figure = Figure("probe", float(np.median(difference)), least, words)
    return figure, figure.crossed and float(np.mean(difference > 0)) >= bound.AGREE
