"""How the lanes method does on its design problems: `python -m benchmarks.range.design [PROBLEM ...]`.

Losses are recorded once in .cache/range/design.pkl, then every choice of constants is judged on the record, in seconds. The runs
that judge and those that a pick sees have different seeds: with the same ones a pick is flattered by the luck they share.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.range.design_problems import problems
from benchmarks.range.problem import OPTIMIZERS, Problem, curves
from benchmarks.range.study import share
from benchmarks.range.truth import SEEDS as JUDGES
from benchmarks.range.truth import Truth, compute
from slalom.race.range.allocation import BUDGET, HIGH, LOW, PER_DECADE, staged
from slalom.race.range.heats import Run
from slalom.race.range.make import from_search

FILE = Path(".cache") / "range" / "design.pkl"
SEEDS = [100, 101, 102]  # of the picks
RUNGS = range(-5 * PER_DECADE, 2 * PER_DECADE + 1)
STEPS = 320  # recorded; a search goes beyond them where most of its rates diverge, and goes through the last 40 again
assert not set(SEEDS) & set(JUDGES)


def record(problem: Problem, optimizer: str) -> tuple[Truth, np.ndarray]:
    """The truth, and the losses `[rungs, seeds, steps]` that picks are made from."""
    seen = curves(problem, optimizer, [10 ** (rung / PER_DECADE) for rung in RUNGS], SEEDS, STEPS)
    return compute(problem, optimizer), seen.astype(np.float32)


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
        times = np.where(times < STEPS, times, STEPS - 40 + times % 40)
        self.t += steps
        return np.stack([self._of(run)[times] for run in self.runs], axis=1)

    def _of(self, run: Run) -> np.ndarray:
        rung = round(np.log10(run.lr) * PER_DECADE) - RUNGS[0]
        if rung >= len(self.losses):
            return np.full(STEPS, np.inf)
        own = self.losses[max(rung, 0), SEEDS.index(run.seed)].astype(np.float64)
        return own if rung >= 0 else np.full(STEPS, own[:8].mean())

    def only(self, numbers: Sequence[int]) -> RecordedHeat:
        return RecordedHeat(self.losses, [self.runs[i] for i in numbers], self.t)


def main(names: Sequence[str]) -> None:
    kept: dict[tuple[str, str], Any] = pickle.loads(FILE.read_bytes()) if FILE.exists() else {}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for problem in (p for p in problems() if not names or p.name in names):
        for optimizer in OPTIMIZERS:
            key = problem.name, optimizer
            if key not in kept:
                kept[key] = record(problem, optimizer)
                FILE.write_bytes(pickle.dumps(kept))
            truth, losses = kept[key]
            for seed in SEEDS:
                subject: Any = Recorded(losses)
                found = from_search(subject, staged(subject, [seed], LOW, HIGH, BUDGET, widen=True), staged=True)
                regret, span = truth.regret(found.suggestion), found.interval
                held = span is not None and span[0] * 0.999 <= truth.best <= span[1] * 1.001
                rows.append((problem.start is not None, regret, held, found.cost))
                if regret > 0.05:
                    print(f"{key}, seed {seed}: {found.suggestion}, best {truth.best:.3g}, regret {regret:.2f}")
    for name, warm in (("from scratch", False), ("warm starts", True)):
        own = np.array([row[1:] for row in rows if row[0] is warm])
        if len(own):
            print(
                f"{name}: {len(own)} cases, within 5 % {share(own[:, 0] <= 0.05)}, beyond 20 % {share(own[:, 0] > 0.2)}, "
                f"held by the interval {share(own[:, 1] > 0)}, most steps {own[:, 2].max():.0f}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
