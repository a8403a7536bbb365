"""How often `slalom.doctor.read_curve` is right: 216 labelled runs on three tasks that its thresholds were not tuned on.

Three tasks (digits, diabetes, spirals) x three rules x constant rate and cosine decay x .01, 1 and 100 times the best rate x four
seeds. The right answer is what one should do with the learning rate, from how the run was made, checked by the truth:

- x 0.01: raise it; but keep it, where the run ended within 5 % of the best rate's drop (on the whole training part).
- x 100: lower it; but keep it, where the run stayed finite and ended within these 5 %.
- x 1: keep it; but lower it, where 100 steps more at a tenth end 5 % of the drop below as many at the same rate.

Read once from the losses and rates alone, and once with a probe of 60 steps, whose branches are lanes too.

Thresholds were set on six other tasks (moons, wine, a noisy sine, a teacher, breast_cancer, zipf). A first run on the tasks
here, seeds 0 to 3, gave 94 % right with the probe, but 12 % of healthy runs called faulty: the probe then measured the losses of
its own steps, where a smaller rate looks better than it is. It was changed, on the six, and three thresholds were made stricter;
these are other seeds of the same three tasks.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.curves.runs import PROBE, REPEATS, Run, Task, labelled_runs
from slalom.data import load
from slalom.doctor import Reading, read_curve
from slalom.race.environment import environment

TASKS = (
    Task("digits", lambda: load("digits"), "mlp:64:relu"),
    Task("diabetes", lambda: load("diabetes"), "mlp:32:relu"),
    Task("spirals", lambda: load("spirals"), "mlp:64,32:tanh"),
)
SEEDS = (4, 5, 6, 7)
GOOD = 0.05  # of the best's drop
KEEP, RAISE, LOWER, OPEN = "keep", "raise", "lower", "open"
CALLS: dict[str | None, str] = {
    "healthy": KEEP, "lr_too_low": RAISE, "lr_too_high": LOWER, "lr_too_high_late": LOWER, "oscillation": LOWER,
    "divergence": LOWER, None: OPEN,
}  # fmt: skip


def label(run: Run) -> str:
    """What should be done with the run's learning rate."""
    fine = bool(np.isfinite(run.loss).all()) and run.regret <= GOOD
    if run.share < 1:
        return KEEP if fine else RAISE
    if run.share > 1:
        return KEEP if fine else LOWER
    late = not run.decay and (run.ends["now"] - run.ends["lower"]) / run.drop > GOOD
    return LOWER if late or not np.isfinite(run.loss).all() else KEEP


@dataclass(frozen=True)
class Recorded:
    """The run's branches, as a probe gives them."""

    run: Run
    orders = REPEATS

    def __call__(self, factor: float, steps: int, order: int = 0) -> np.ndarray:
        cooled = self.run.lr[-1] / self.run.lr.max()
        way = {1.0: "now", 0.1: "lower"}.get(factor) or f"higher {factor * cooled:.0f}"
        assert steps == PROBE
        return self.run.branches[way][order]


def interval(right: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, p = 1.96, right / of
    middle, half = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)


def shown(right: int, of: int) -> str:
    low, high = interval(right, of)
    return f"{right}/{of} = {right / of:.1%} (95 %: {low:.1%} to {high:.1%})"


def table(title: str, runs: Sequence[Run], readings: Sequence[Reading]) -> None:
    """The confusion matrix, what was right, and what was not."""
    cells = Counter((label(run), CALLS[reading.cause]) for run, reading in zip(runs, readings, strict=True))
    print(f"{title}\n{'right answer':>14}" + "".join(f"{call:>8}" for call in (KEEP, RAISE, LOWER, OPEN)))
    for truth in (KEEP, RAISE, LOWER):
        print(f"{truth:>14}" + "".join(f"{cells[truth, call]:8}" for call in (KEEP, RAISE, LOWER, OPEN)))
    n = len(runs)
    healthy = sum(v for (truth, _), v in cells.items() if truth == KEEP)
    alarms = cells[KEEP, RAISE] + cells[KEEP, LOWER]
    print(f"right: {shown(sum(cells[t, t] for t in (KEEP, RAISE, LOWER)), n)}")
    wrong = sum(v for (truth, call), v in cells.items() if call not in (truth, OPEN))
    print(f"wrong, open ones aside: {shown(wrong, n)}")
    print(f"healthy runs called faulty: {shown(alarms, healthy)}\n")


def shapes(runs: Sequence[Run], readings: Sequence[Reading]) -> None:
    """Which shapes were seen, by how the runs were made."""
    cells = Counter((run.share, run.decay, reading.shape) for run, reading in zip(runs, readings, strict=True))
    names = sorted({shape for _, _, shape in cells})
    print("shapes read, with the probe\n" + f"{'made with':>18}" + "".join(f"{name:>24}" for name in names))
    for share, decay in sorted({key[:2] for key in cells}):
        made = f"x {share:g}{', decay' if decay else ', constant'}"
        print(f"{made:>18}" + "".join(f"{cells[share, decay, name]:24}" for name in names))
    print()


def main() -> None:
    begin = time.perf_counter()
    told = environment()
    print("; ".join(f"{k} {told[k]}" for k in ("date", "slalom", "torch", "python", "processor", "cores", "threads")))
    print(f"\n{__doc__}")
    runs = [run for task in TASKS for run in labelled_runs(task, SEEDS)]
    made = time.perf_counter() - begin
    alone = [read_curve(run.loss, run.lr) for run in runs]
    probed = [read_curve(run.loss, run.lr, probe=Recorded(run)) for run in runs]
    changed = sum(label(run) != {0.01: RAISE, 1.0: KEEP, 100.0: LOWER}[run.share] for run in runs)
    print(f"labels that the truth changed: {changed} of {len(runs)}\n")
    table("losses and rates alone", runs, alone)
    table("with the probe", runs, probed)
    shapes(runs, probed)
    print("wrong, with the probe: task, rule, rate, share, seed, right answer, reading")
    for run, reading in zip(runs, probed, strict=True):
        if CALLS[reading.cause] != label(run):
            way = "decay" if run.decay else "constant"
            figures = ", ".join(f"{f.name} {f.value:.3g} ({f.threshold:.3g})" for f in reading.evidence)
            print(f"  {run.task}, {run.rule}, {way}, x {run.share:g}, {run.seed}, {label(run)}, {reading.cause}: {figures}")
    for task in TASKS:
        own = [CALLS[b.cause] == label(a) for a, b in zip(runs, probed, strict=True) if a.task == task.name]
        print(f"right with the probe, {task.name}: {shown(sum(own), len(own))}")
    print(f"\nruns made in {made:.0f} s, each read in {(time.perf_counter() - begin - made) / len(runs) / 2 * 1e3:.1f} ms")
