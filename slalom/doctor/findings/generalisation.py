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
APART, ERRORS = 0.13, 3.0  # accuracy (or R2) between held-out and validation rows, and standard errors of it
SENSE = 0.3  # accuracy (or R2) on validation rows from which they can be called cleaner; below it neither part is read
CLEANER = 0.1  # accuracy or skill by which validation rows are read better
BEHIND = 0.15  # skill that validation rows lack, from which it is asked why
LEARNT = 0.1
APART_NUMBERS = 0.4  # for targets that are numbers, whose score swings more
BY_HEART, GAP_BY_HEART, APART_BY_HEART = 0.97, 0.2, 0.1  # training skill; what validation rows lack, in skill and accuracy
# By heart whatever the curve does: the same, from how much training skill on, for a gap this wide.
PLAINLY = ((0.9, 0.5), (0.99, 0.3))
STALE = 0.6  # of the run: the best look came before
WRONG = 0.08  # accuracy that validation rows must lack: a loss that rises by overconfidence alone does no harm
WIDE = 0.4  # skill between the parts from which a third of it will do


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
    fallen = float(smooth[best] - smooth[-max(3, len(val) // 4) :].max())  # a curve that swings comes back to its best
    gap = case.reached[0] - case.reached[1]
    train = run.train()
    end = run.end
    apart = end.train_right - end.val_right
    still = train[best] - np.median(train[-3:])
    if smooth[best] < LEARNT and fallen < RISE:
        return []
    shaky = NOISES * noise(val[best:]) if len(val) - best > 3 else 0.0
    clear = (
        fallen > shaky and still > 0 and case.reached[0] > LEARNT and not apart < (WRONG if gap < WIDE else WRONG / 3)
    )  # NaN: no classes
    if not (clear and (fallen >= RISE or (fallen >= MILD_RISE and gap >= GAP))) and not _by_heart(
        case, best / len(val), apart, gap
    ):
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
    after = next((k for k in range(best, len(smooth)) if smooth[best] - smooth[k] >= MILD_RISE), min(best + 3, len(smooth) - 1))
    return [finding("overfitting", figures, 0.85, run.looks[after].step, best=run.looks[best].step)]


def _by_heart(case: Case, best: float, apart: float, gap: float) -> bool:
    """Every training row is read, many others are not, and no later epoch has read them better, or the gap is a chasm."""
    stale = case.reached[0] >= BY_HEART and best <= STALE and gap >= GAP_BY_HEART
    if not stale and not any(case.reached[0] >= high and gap >= wide for high, wide in PLAINLY):
        return False
    return apart >= APART_BY_HEART or (math.isnan(apart) and gap >= 2 * GAP_BY_HEART)


def told_apart(case: Case) -> list[Finding]:
    """Held-out training rows against validation rows: labels wrong in the training part, or parts that differ."""
    if case.run.broke is not None or case.setup.val is None or case.setup.rows < 30:
        return []
    held = held_out(case)
    if held is None:
        return []
    apart, error = held.val - held.train, held.error
    if abs(apart) < max(APART if held.what == "accuracy" else APART_NUMBERS, ERRORS * error):
        return []
    if apart > 0:
        if held.val < SENSE:
            return []
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


def cleaner(case: Case) -> bool:
    """Whether validation rows are read better than training rows, which seldom comes of anything but their labels."""
    train, val = case.reached
    end = case.run.end
    better = not math.isnan(end.train_right) and end.val_right - end.train_right > CLEANER
    return better or (not math.isnan(val) and val - train > CLEANER)


def wrong_labels(case: Case) -> bool:
    """Whether asking is worth a run: neither part is read well, or validation rows better than training rows."""
    train, val = case.reached
    return cleaner(case) or (not math.isnan(val) and (train - val > BEHIND or train < 0.6))


__all__ = ["cleaner", "overfitted", "told_apart", "wrong_labels"]
