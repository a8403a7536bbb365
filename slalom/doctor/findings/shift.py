"""Validation rows that are not prepared, or not drawn, like the training rows."""

from __future__ import annotations

import math

import numpy as np

from slalom.doctor.case import Case
from slalom.doctor.curve import Figure
from slalom.doctor.finding import Finding, finding

FAR, ERRORS = 0.75, 5.0  # training deviations, and standard errors, that a feature's mean has moved
WIDER = 2.5  # ratio of deviations
SHARE = 0.3  # of the features: one that drifts is no other preparation
WORSE = 0.15  # skill that validation rows lack


def look(case: Case) -> list[Finding]:
    """Features shifted between the parts, where the validation skill is far below the training skill."""
    moved = case.shift
    if moved is None or case.setup.val is None:
        return []
    far = np.maximum(FAR, ERRORS * moved.error)
    shifted = float((moved.mean > far).mean())
    wider = float((moved.sd > WIDER + 10 * moved.error).mean())
    share = float(((moved.mean > far) | (moved.sd > WIDER + 10 * moved.error)).mean())
    if share < SHARE or math.isnan(case.reached[1]):
        return []
    behind = case.reached[0] - case.reached[1]
    best = max((case.skills[1].of(look.val) for look in case.run.looks), default=0.0) if case.skills[1] else 0.0
    if behind < WORSE and case.reached[0] - best < WORSE:
        return []
    name, value, threshold = ("mean", shifted, SHARE) if shifted >= wider else ("sd", wider, SHARE)
    words = {"mean": f"share of features whose validation mean lies {float(np.median(moved.mean)):.3g} training deviations off",
             "sd": f"share of features whose deviation differs {float(np.median(moved.sd)):.3g}-fold"}[name]  # fmt: skip
    evidence = (
        Figure(name, value, threshold, words),
        Figure("behind", behind, WORSE, "validation skill below the training skill"),
    )
    return [finding("train_val_mismatch", evidence, 0.95, 0, share=share)]
