"""Training rows read well and others not: learnt by heart, labels that are wrong, or another kind of rows."""

from __future__ import annotations

import math

import numpy as np

from slalom.doctor.case import Case
from slalom.doctor.curve import Figure
from slalom.doctor.curve.statistics import noise
from slalom.doctor.experiments.holdout import Held, held_out
from slalom.doctor.finding import Finding, finding

RISE, MILD_RISE, GAP = 0.15, 0.04, 0.3  # skill lost since the best look; the same where the parts are this far apart
NOISES = 3.0
APART, ERRORS = 0.15, 3.0  # accuracy (or R2) between held-out and validation rows, and standard errors of it
BEHIND = 0.15  # skill that validation rows lack, from which it is asked why
LEARNT = 0.1


def overfitted(case: Case) -> list[Finding]:
    """The validation loss has risen beyond its noise since its best while the training loss fell."""
    skill = case.skills[1]
    run = case.run
    if skill is None or run.broke is not None or len(run.looks) < 6:
        return []
    val = np.array([skill.of(v) if v < 2 * skill.constant else 1 - v / skill.constant for v in run.val()])
    if not np.isfinite(val).all():
        return []
    smooth = np.array([np.median(val[max(0, k - 1) : k + 2]) for k in range(len(val))])
    best = int(np.argmax(smooth))
    fallen = float(smooth[best] - np.median(val[-3:]))
    gap = case.reached[0] - case.reached[1]
    train = run.train()
    still = train[best] - np.median(train[-3:])
    if smooth[best] < LEARNT and fallen < RISE:
        return []
    shaky = NOISES * noise(val[best:]) if len(val) - best > 3 else 0.0
    clear = fallen > shaky and still > 0 and case.reached[0] > LEARNT
    if not clear or not (fallen >= RISE or (fallen >= MILD_RISE and gap >= GAP)):
        return []
    figures = (
        Figure(
            "fallen",
            fallen,
            RISE if fallen >= RISE else MILD_RISE,
            f"validation skill lost since its best, at step {run.looks[best].step}",
        ),
        Figure("gap", gap, GAP, "training skill above the validation skill"),
    )
    after = next((k for k in range(best, len(smooth)) if smooth[best] - smooth[k] >= MILD_RISE), len(smooth) - 1)
    return [finding("overfitting", figures, 0.85, run.looks[after].step, best=run.looks[best].step)]


def told_apart(case: Case) -> list[Finding]:
    """Held-out training rows against validation rows: labels wrong in the training part, or parts that differ."""
    if case.run.broke is not None or case.setup.val is None or case.setup.rows < 30:
        return []
    held = held_out(case)
    if held is None:
        return []
    apart, error = held.val - held.train, held.error
    if abs(apart) < max(APART, ERRORS * error):
        return []
    if apart > 0:
        figures = _figures(held, apart, error)
        return [finding("corrupted_labels", figures, 0.9, held.step, share=_share(held))]
    if case.reached[0] - case.reached[1] < BEHIND:
        return []
    return [finding("train_val_mismatch", _figures(held, -apart, error), 0.88, held.step)]


def _figures(held: Held, apart: float, error: float) -> tuple[Figure, ...]:
    words = f"{held.what} on validation rows ({held.val:.2f}) away from that on training rows held out ({held.train:.2f})"
    return (Figure("apart", apart, max(APART, ERRORS * error), words),)


def _share(held: Held) -> float:
    """The share of wrong labels that explains the difference."""
    return float(max(0.0, min(1.0, 1 - held.train / held.val))) if held.val > 0 else math.nan


def wrong_labels(case: Case) -> bool:
    """Whether asking is worth a run: neither part is read well, or validation rows better than training rows."""
    train, val = case.reached
    end = case.run.end
    better = not math.isnan(end.train_right) and end.val_right - end.train_right > 0.1
    return better or (not math.isnan(val) and (val - train > 0.1 or train - val > BEHIND or train < 0.6))


__all__ = ["overfitted", "told_apart", "wrong_labels"]
