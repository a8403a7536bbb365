"""The truth of the study: final training losses of whole runs on a grid of rates, computed once and kept.

29 rates from 1e-5 to 1e2, a quarter decade apart, 400 steps at a constant rate, seeds 0, 1, 2. A run's final loss is the mean
over its last 40 steps. Regret of a rate is
(its final loss, mean over the seeds, minus the best rate's) over (the loss before training minus the best), at most 1; a rate at
which any seed diverged has regret 1. Between rates it is interpolated in log lr.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.range.problem import OPTIMIZERS, Problem, curves

LRS = [10 ** (k / 4) for k in range(-20, 9)]
SEEDS, STEPS, TAIL = [0, 1, 2], 400, 40
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Truth:
    """`final [rates, seeds]`; `initial`: the loss before training, mean over seeds and 20 batches."""

    final: np.ndarray
    initial: float

    @property
    def regrets(self) -> np.ndarray:
        final = np.where(np.isfinite(self.final).all(1), self.final.mean(1), np.inf)
        return np.clip((final - final.min()) / max(self.initial - final.min(), 1e-12), 0.0, 1.0)

    @property
    def best(self) -> float:
        return LRS[int(self.regrets.argmin())]

    def regret(self, lr: float | None) -> float:
        if lr is None or not np.isfinite(lr) or not LRS[0] / 2 < lr < LRS[-1] * 2:
            return 1.0
        return float(np.interp(np.log10(lr), np.log10(LRS), self.regrets))

    def single_seed_regrets(self) -> list[float]:
        """Regrets of the rates that each seed alone would have picked: the noise floor."""
        return [float(self.regrets[int(np.argmin(own))]) for own in self.final.T]

    def regret_of_loss(self, loss: float) -> float:
        """Of a final loss reached in some other way."""
        best = float(np.where(np.isfinite(self.final).all(1), self.final.mean(1), np.inf).min())
        return float(np.clip((loss - best) / max(self.initial - best, 1e-12), -1.0, 1.0)) if np.isfinite(loss) else 1.0


def compute(problem: Problem, optimizer: str) -> Truth:
    seen = curves(problem, optimizer, LRS, SEEDS, STEPS)
    return Truth(seen[:, :, -TAIL:].mean(2), float(seen[0, :, :20].mean()))  # the least rate hardly moves in 20 steps


def truths(
    problems: Sequence[Problem], name: str = "truth.json", optimizers: Sequence[str] = OPTIMIZERS
) -> dict[tuple[str, str], Truth]:
    """From the file; what it lacks is computed and added."""
    file = HERE / name
    kept = json.loads(file.read_text()) if file.exists() else {}
    made = {}
    for problem in problems:
        for optimizer in optimizers:
            key = f"{problem.name}/{optimizer}"
            if key not in kept:
                found = compute(problem, optimizer)
                rows = [[float(f"{v:.4g}") if np.isfinite(v) else None for v in row] for row in found.final]
                kept[key] = {"initial": float(f"{found.initial:.5g}"), "final": rows}
                file.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in kept.items()) + "\n}\n")
                print(f"truth of {key} computed", flush=True)
            final = np.array([[np.inf if v is None else v for v in row] for row in kept[key]["final"]])
            made[problem.name, optimizer] = Truth(final, kept[key]["initial"])
    return made
