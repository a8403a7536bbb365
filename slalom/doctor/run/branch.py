"""When the outcome of a counterfactual run is plain, so that it need not go on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from slalom.doctor.run.record import Run
from slalom.doctor.run.skill import Skill

BRANCH_LOOKS = 16  # of a branch: what is asked of it shows in fewer looks than the caller's own run gets
PLAIN = 0.9  # skill that explains whatever the run lacks
LEAST, HALF, NEARLY = 0.25, 0.5, 0.8  # of the run: before, nothing is given up; from here on, what is still far behind is
WON, AT_LEAST = 0.2, 0.03  # skill won that need not be followed to its end; that a branch must be able to win at all
LOW = 0.1  # skill of a branch that has not begun to learn: its pace says nothing yet
WRECKED = -0.5  # skill of a branch that goes nowhere
AHEAD = 1.5  # times its late pace that a branch may still gain


@dataclass(frozen=True)
class Outlook:
    """Called with a branch's run after each look; true where it has won for good, or can no longer win.

    `steps`: of the whole branch; `reached`: skills of the caller's own run on training and validation rows.
    """

    steps: int
    reached: tuple[float, float]
    by_train: Skill
    by_val: Skill | None

    def __call__(self, run: Run) -> bool:
        if len(run.looks) < 4:
            return False
        return self._won(run) or self._lost(run)

    def _won(self, run: Run) -> bool:
        """High on training rows at two looks in a row, and ahead on validation rows as well."""
        for look in run.looks[-2:]:
            skill = self.by_train.of(look.train)
            if skill < PLAIN or skill < self.reached[0] + WON:
                return False
            known = self.by_val is not None and not math.isnan(self.reached[1])
            if known and self.by_val is not None and self.by_val.of(look.val) < self.reached[1] + WON:
                return False
        return True

    def _lost(self, run: Run) -> bool:
        share = run.looks[-1].step / max(1, self.steps)
        if share < LEAST:
            return False
        seen = [self.by_train.of(look.train) for look in run.looks]
        if max(seen[-3:]) < min(WRECKED, self.reached[0]):
            return True
        if share < HALF:
            return False
        if max(seen) < LOW and share < NEARLY:
            return False
        late = max(1, len(seen) // 3)
        pace = (max(seen[-2:]) - max(seen[-2 - late : -late])) / late
        left = len(seen) * (1 - share) / share
        return max(seen) + AHEAD * max(0.0, pace) * left < self.reached[0] + AT_LEAST
