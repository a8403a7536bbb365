"""`python -m benchmarks tune.rivals`: time to target against Optuna with each pruner, in one process and one a core."""

from __future__ import annotations

import functools
import itertools
import math
import os
from typing import Any

import torch

from benchmarks.tune.pairs import PATIENCE, RESULT, SEEDS, THEIRS_MOST, kept, ours, spread, times
from benchmarks.tune.sequential import PRUNERS, search, search_in_processes
from benchmarks.tune.tasks import target
from slalom.race.environment import environment

TASK = "digits"


def _ours(seed: int, goal: float) -> dict[str, Any]:
    return ours(TASK, seed, goal).row()


def _rival(seed: int, goal: float, cpu: float, kind: str, workers: int) -> dict[str, Any]:
    if workers == 1:
        return search(TASK, seed, goal, 10 * THEIRS_MOST, cpu, kind).row()
    return search_in_processes(TASK, seed, goal, 10 * THEIRS_MOST, cpu, kind, workers).row()


def main() -> None:
    """Measure, print, and keep."""
    torch.set_num_threads(1)
    goal, facts, cores = target(TASK), environment(), len(os.sched_getaffinity(0))
    out = [f"slalom.tune against Optuna's pruners on {TASK}, target {goal:.4f}\n{facts['date']}  {cores} cores"]
    ours(TASK, 10_001, 9.0)
    at = {"task": TASK, "goal": round(goal, 6)}
    own = [kept({**at, "side": "ours", "seed": s}, functools.partial(_ours, s, goal)) for s in range(SEEDS)]
    out.append(f"{'ours':23} wall s {spread([times(a, 'wall') for a in own])}")
    for workers, kind in itertools.product(dict.fromkeys((1, cores)), PRUNERS):
        rows = []
        for seed, a in enumerate(own):
            patience = PATIENCE * a["cpu"] if a["hit"] else math.inf
            run = functools.partial(_rival, seed, goal, patience, kind, workers)
            rows.append(kept({**at, "side": f"{kind} x {workers}", "seed": seed}, run))
        ratios = [b["wall"] / a["wall"] if a["hit"] else 0.0 for a, b in zip(own, rows, strict=True)]
        out.append(f"{kind:10} {workers:2} processes wall s {spread([times(b, 'wall') for b in rows])}")
        out.append(f"{'ours sooner, at least':23} times  {spread(ratios)}")
        print("\n".join(out[-2:]), flush=True)
    (RESULT / "tune-rivals.txt").write_text("\n".join(out) + "\n")
