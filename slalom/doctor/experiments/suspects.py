"""Causes that may explain a symptom, each with the changes that would mend it, tried one against the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from slalom.doctor.case import Case, Trial
from slalom.doctor.curve import Figure
from slalom.doctor.experiments.gain import NEED, Gain, gain

ENOUGH = 0.85  # skill that a branch reached: it explains the symptom, and nothing weaker need be tried
FULL = 0.985  # skill from which nothing is lacking
MOST = 0.5  # skill won, and share of the loss left, by which a branch has done so too
Trials = Callable[[Case], list[Trial]]


@dataclass(frozen=True)
class Suspect:
    """`label`: of the finding, should its trials win. `evidence`: what raised the suspicion. `weight`: how far it goes before
    others that win as much: causes that lie in the data or the model's structure mend themselves at no learning rate,
    while a rate may make up for part of them. `step`: at which the suspicion stood; None for the step at which its branch led.
    `need`: the skill that a trial must win; with `by_val`, one that wins much on validation rows and loses none on training
    rows has won too. `most`: no fault where the run as it stands has come to more than this share of the trial's skill.
    `strong`: the evidence is such as healthy runs do not show, so that a small gain convicts.
    """

    label: str
    evidence: tuple[Figure, ...]
    trials: Trials
    weight: float = 1.0
    step: int | None = None
    need: float = NEED
    by_val: bool = False
    most: float = 1.0
    strong: bool = False
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tested:
    suspect: Suspect
    gain: Gain

    @property
    def rank(self) -> float:
        return self.suspect.weight * self.gain.total

    @property
    def decides(self) -> bool:
        """Whether no other cause need be asked: a cause that goes before rates, whose branch leaves little or wins most."""
        if self.suspect.weight < 1:
            return False
        return self.gain.trial.train >= ENOUGH or (self.gain.total >= MOST and self.gain.left <= MOST)


def _beyond(case: Case, suspect: Suspect) -> bool:
    """Whether the run is so good already that no trial, however good, could convict."""
    if case.run.broke is not None or suspect.by_val:
        return False
    return case.reached[0] > (FULL if suspect.strong else min(suspect.most, 1 - suspect.need))


def tested(case: Case, suspects: Sequence[Suspect]) -> list[Tested]:
    """Each suspect's best trial, those that win most first; suspects without a trial that helps are left out.

    The weightiest are tried first, and no lighter ones after one that explains all that is lacking.
    """
    found: list[Tested] = []
    for suspect in sorted(suspects, key=lambda s: -s.weight):
        if any(suspect.weight < t.suspect.weight and t.decides for t in found):
            break
        if _beyond(case, suspect):
            continue
        gains = [gain(case, trial) for trial in suspect.trials(case)]
        gains = [
            g
            for g in gains
            if case.run.broke is not None or suspect.strong or suspect.by_val or case.reached[0] <= suspect.most * g.trial.train
        ]
        helping = [g for g in gains if g.helps(suspect.need, suspect.strong) or (suspect.by_val and g.generalises())]
        if helping:
            found.append(Tested(suspect, max(helping, key=lambda g: g.total)))
    return sorted(found, key=lambda t: -t.rank)
