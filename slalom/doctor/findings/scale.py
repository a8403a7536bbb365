"""Inputs and targets far from the scale that networks start at."""

from __future__ import annotations

from slalom.doctor.case import Case
from slalom.doctor.curve import Figure
from slalom.doctor.experiments.suspects import Suspect

SPREAD, LARGE, SMALL, OFFSET = 30.0, 5.0, 0.1, 3.0
TARGET_LARGE, TARGET_SMALL, TARGET_OFFSET = 5.0, 0.1, 3.0
TIMES = 3.0  # a threshold passed so far is passed by no data that was prepared


def inputs(case: Case) -> list[Suspect]:
    """Features whose deviations differ, or whose values are large, small or far from 0."""
    c = case.columns
    if c is None:
        return []
    figures = [
        Figure("spread", c.spread, SPREAD, "largest over smallest deviation of a feature"),
        Figure("largest", c.largest, LARGE, "largest root mean square of a feature"),
        Figure("offset", c.offset, OFFSET, "largest |mean| / deviation of a feature"),
    ]
    raised = [f for f in figures if f.value > f.threshold]
    if c.largest < SMALL:
        raised.append(Figure("smallest", -c.largest, -SMALL, "(minus the) largest root mean square of a feature"))
    if not raised:
        return []
    return [Suspect("unnormalised_inputs", tuple(raised), lambda k: k.fixed("unnormalised_inputs"), 1.1, 0, strong=_far(raised))]


def targets(case: Case) -> list[Suspect]:
    """Targets whose mean or deviation is far from 0 and 1."""
    y = case.setup.train[1]
    if not y.is_floating_point() or case.loss is None or not case.loss.distance:
        return []
    y = y.double()
    mean, sd = float(y.mean().abs()), float(y.std())
    figures = [
        Figure("deviation", sd, TARGET_LARGE, "standard deviation of the targets"),
        Figure("offset", mean / sd if mean > 2 and sd > 0 else 0.0, TARGET_OFFSET, "|mean| / deviation of the targets"),
    ]
    raised = [f for f in figures if f.value > f.threshold]
    if 0 < sd < TARGET_SMALL:
        raised.append(Figure("deviation", -sd, -TARGET_SMALL, "(minus the) standard deviation of the targets"))
    if not raised:
        return []
    return [Suspect("unscaled_targets", tuple(raised), lambda k: k.fixed("unscaled_targets"), 1.1, 0, strong=_far(raised))]


def _far(raised: list[Figure]) -> bool:
    """Whether a figure is so far beyond its threshold (below 0 for what is small) that no healthy run would have it."""
    return any(f.value > (TIMES * f.threshold if f.threshold > 0 else f.threshold / TIMES) for f in raised)
