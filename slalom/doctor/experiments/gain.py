"""What a counterfactual run wins over the caller's own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from slalom.doctor.case import Case, Trial
from slalom.doctor.curve import Figure

NEED = 0.12  # of the way from a constant prediction to no loss at all: less is no fault worth an alarm
MUCH = 0.2  # the same for what nearly every run gains a little from: a higher rate, more units, more steps
# A skill won beyond doubt; a smaller one must show in the share of right classes, where there are classes.
CLEAR, RIGHT = 0.3, 0.02
RUINED = 0.15  # validation skill lost, beside which a few more right classes confirm nothing
SHRINK = 0.7  # what is still lost must shrink to this share
HELD = 0.4  # of NEED that validation rows must confirm
# Skill won, and share of what is lost left, that convict a cause whose evidence no healthy run shows.
SLIGHT, SLIGHT_LEFT = 0.04, 0.8
LITTLE, LITTLE_LEFT = 0.012, 0.6  # the same where hardly anything is lacking
HELD_SLIGHT, RIGHT_SLIGHT = 0.3, 0.009  # of what is won that validation rows must confirm; accuracy in which it must show
AHEAD = 0.1  # a branch leads from the look at which its skill is this much higher


@dataclass(frozen=True)
class Gain:
    """`train`, `val`: skill won (`val` NaN without validation rows); `right`: accuracy won, on validation rows if there are any
    (NaN where targets are not classes); `left`: what is still lost, as a share of what was;
    `step`: from
    which the branch was ahead.
    """

    trial: Trial
    train: float
    val: float
    left: float
    right: float
    step: int

    @property
    def total(self) -> float:
        return self.train if math.isnan(self.val) else 0.5 * (self.train + self.val)

    def helps(self, need: float = NEED, strong: bool = False) -> bool:
        """Whether so much is won that its absence was a fault; less will do where the evidence is `strong` already."""
        if strong and self._slightly():
            return True
        held = math.isnan(self.val) or self.val >= HELD * need
        shown = math.isnan(self.right) or self.train >= CLEAR or self.right >= RIGHT
        return self.train >= need and self.left <= SHRINK and held and shown

    def _slightly(self) -> bool:
        enough = (self.train >= SLIGHT and self.left <= SLIGHT_LEFT) or (self.train >= LITTLE and self.left <= LITTLE_LEFT)
        held = math.isnan(self.val) or self.val >= HELD_SLIGHT * min(self.train, NEED)
        shown = math.isnan(self.right) or self.train >= CLEAR or self.right >= RIGHT_SLIGHT
        return enough and held and shown

    def generalises(self) -> bool:
        """Whether much is won on validation rows at no loss on training rows."""
        return self.val >= CLEAR and self.train >= 0 and (math.isnan(self.right) or self.right >= 0)

    def figures(self) -> tuple[Figure, ...]:
        """The evidence, in words."""
        words = f"training skill won by a branch with {self.trial.change.words}"
        made = [Figure("gain", self.train, NEED, words)]
        if not math.isnan(self.val):
            made.append(Figure("gain_val", self.val, HELD * NEED, "validation skill won by it"))
        return tuple(made)


def gain(case: Case, trial: Trial) -> Gain:
    """A trial against the caller's own run."""
    train, val = case.reached
    won_val = _confirmed(case, trial, val)
    left = (1 - trial.train) / max(1 - train, 1e-9)
    return Gain(trial, trial.train - train, won_val, left, _right(case, trial), _ahead(case, trial))


def _right(case: Case, trial: Trial) -> float:
    mine, other = case.run.end, trial.run.end
    by_val = other.val_right - mine.val_right
    return other.train_right - mine.train_right if math.isnan(by_val) else by_val


def _confirmed(case: Case, trial: Trial, val: float) -> float:
    """Skill won on validation rows, by the loss or by the share of right classes, whichever shows it better."""
    if math.isnan(val):
        return math.nan
    by_loss = trial.val - val
    mine, other = case.run.end.val_right, trial.run.end.val_right
    if case.run.broke is not None or math.isnan(mine) or math.isnan(other):
        return by_loss
    return by_loss if by_loss < -RUINED and other - mine < CLEAR else max(by_loss, other - mine)


def _ahead(case: Case, trial: Trial) -> int:
    """The share of the trial's run after which it leads for good measure, in steps of the caller's run."""
    skill = case.skills[0]
    for look in trial.run.looks[1:]:
        share = look.step / max(trial.change.setup.steps, 1)
        step = round(share * case.setup.steps)
        if case.run.broke is not None and step >= case.run.broke:
            return case.run.broke
        if skill.of(look.train) - skill.of(case.run.at(step).train) >= AHEAD:
            return step
    return case.run.end.step
