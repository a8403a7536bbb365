"""How the lanes method does on its design problems: `python -m benchmarks.range.design [PROBLEM ...]`.

Losses are recorded once (`record.py`), then every choice of constants is judged on the record, in seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.range.problem import OPTIMIZERS
from benchmarks.range.record import SEEDS, problems, recorded
from benchmarks.range.study import share
from benchmarks.range.truth import LRS, STEPS
from slalom.race.range.allocation import BUDGET, HIGH, LOW, staged
from slalom.race.range.heats import Run
from slalom.race.range.make import from_search

FIRST_RUNG, PER_DECADE = round(np.log10(LRS[0]) * 4), 4


@dataclass
class Recorded:
    """A subject that plays a record back; above its rates everything diverges, below nothing moves."""

    losses: np.ndarray
    name, per_epoch, default_lr, notes = "recorded", 1, None, ()  # type: ignore[var-annotated]

    def start(self, runs: Sequence[Run]) -> RecordedHeat:
        return RecordedHeat(self.losses, list(runs))


@dataclass
class RecordedHeat:
    losses: np.ndarray
    runs: list[Run]
    t: int = 0

    def advance(self, steps: int) -> np.ndarray:
        times = np.arange(self.t, self.t + steps)
        times = np.where(times < STEPS, times, STEPS - 40 + times % 40)  # beyond the record its last steps again
        self.t += steps
        return np.stack([self._of(run)[times] for run in self.runs], axis=1)

    def _of(self, run: Run) -> np.ndarray:
        place = np.log10(run.lr) * PER_DECADE - FIRST_RUNG
        rung = round(place)
        assert abs(place - rung) < 1e-6, f"no rate {run.lr} in the record"
        if rung >= len(self.losses):
            return np.full(STEPS, np.inf)
        own = self.losses[max(rung, 0), SEEDS.index(run.seed)].astype(np.float64)
        return own if rung >= 0 else np.full(STEPS, own[:8].mean())

    def only(self, numbers: Sequence[int]) -> RecordedHeat:
        return RecordedHeat(self.losses, [self.runs[i] for i in numbers], self.t)


def main(names: Sequence[str]) -> None:
    rows = []
    for problem in (p for p in problems() if not names or p.name in names):
        for optimizer in OPTIMIZERS:
            truth, losses = recorded(problem, optimizer)
            for seed in SEEDS:
                subject: Any = Recorded(losses)
                found = from_search(subject, staged(subject, [seed], LOW, HIGH, BUDGET, widen=True), staged=True)
                regret, span = truth.regret(found.suggestion), found.interval
                held = span is not None and span[0] * 0.999 <= truth.best <= span[1] * 1.001
                rows.append((problem.start is not None, regret, held, found.cost))
                if regret > 0.05:
                    case = f"{problem.name}, {optimizer}, seed {seed}"
                    print(f"{case}: {found.suggestion}, best {truth.best:.3g}, regret {regret:.2f}")
    for name, warm in (("from scratch", False), ("warm starts", True)):
        own = np.array([row[1:] for row in rows if row[0] is warm])
        if len(own):
            print(
                f"{name}: {len(own)} cases, within 5 % {share(own[:, 0] <= 0.05)}, beyond 20 % {share(own[:, 0] > 0.2)}, "
                f"held by the interval {share(own[:, 1] > 0)}, most steps {own[:, 2].max():.0f}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
