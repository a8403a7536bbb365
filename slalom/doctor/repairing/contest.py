"""The candidates of a repair against each other: experiments that were made already, short branches, full runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from slalom.doctor.repairing.branch import Branch
from slalom.doctor.repairing.candidates import Candidate
from slalom.doctor.repairing.choose import halved
from slalom.doctor.repairing.yardstick import Yardstick
from slalom.doctor.setup import Setup

FULL = 3  # fixes that are trained to the end, at most
GREAT = 0.2  # of the loss at the start: a repair that ends below it is taken at once


class Contest:
    """`won(budget, before)`: the branch that is best at its end. `cost`: steps trained here, in runs of the set-up."""

    def __init__(self, setup: Setup, competing: Sequence[Candidate], yardstick: Yardstick, case: Any = None) -> None:
        rows = (setup.train, setup.val)
        self._candidates = {}
        self.branches: list[Branch] = []
        done = {} if case is None else case.trials
        for candidate in competing:
            branch = Branch(candidate.change, yardstick, rows, candidate.fix.name)
            trial = done.get(candidate.fix.name)
            if trial is not None and trial.run.broke is None and not trial.run.cut:
                branch.take_over(trial.run)
            self._candidates[id(branch)] = candidate
            self.branches.append(branch)
        self._rows_a_run = setup.rows * setup.epochs

    @property
    def names(self) -> str:
        return ", ".join(b.name for b in self.branches)

    @property
    def cost(self) -> float:
        return sum(self._cost(b) for b in self.branches)

    def label(self, branch: Branch) -> str:
        """The label that a branch's fix answers."""
        return self._candidates[id(branch)].label

    def told(self) -> list[dict[str, Any]]:
        """Every branch as plain data: label, fix, words, steps trained, its last loss, why it failed."""
        return [
            {"label": self.label(b), "fix": b.name, "words": b.change.words, "step": b.step, "loss": b.best, "failed": b.failed}
            for b in self.branches
        ]

    def won(self, budget: float, before: float, start: float) -> Branch | None:
        """Short branches for those whose worth shows early, then full runs of the best; None where no run has a finite loss.

        `before`, `start`: the original's loss at its end and at its start.
        """
        great = GREAT * min(before, start)
        reused = [b for b in self.branches if b.reused]
        best = min(reused, key=lambda b: b.best, default=None)
        if best is not None and best.best < great:
            return best
        for branch in self._order([b for b in self.branches if not b.reused], budget)[:FULL]:
            left = (1 - branch.step / max(1, branch.setup.steps)) * self._whole(branch)
            if best is not None and best.best < before and self.cost + left > 1 + budget:
                break
            branch.advance(branch.setup.steps)
            if math.isfinite(branch.best) and (best is None or branch.best < best.best):
                best = branch
            if best is not None and best.best < great:
                break
        return best

    def _order(self, branches: list[Branch], budget: float) -> list[Branch]:
        """Best first. Fixes whose worth shows late are not put to short trials; one that is the likeliest goes first."""
        late = [b for b in branches if self._candidates[id(b)].fix.late]
        early = [b for b in branches if not self._candidates[id(b)].fix.late]
        if late and branches[0] is late[0]:
            return [late[0], *(halved(early, budget / 2) if early else late[1:])]
        return [*halved(early, budget), *late]

    def _whole(self, branch: Branch) -> float:
        """What a branch's whole run costs, in runs of the set-up, by the rows that it reads."""
        return branch.setup.rows * branch.setup.epochs / self._rows_a_run

    def _cost(self, branch: Branch) -> float:
        return 0.0 if branch.reused else branch.step / max(1, branch.setup.steps) * self._whole(branch)
