"""`python -m benchmarks tune.rivals`: time to target against Optuna with each pruner, in one process and one a core.

Bounded, kept and said as `python -m benchmarks tune`, whose runs of ours and of Optuna without pruner in one process are taken
over: rivals take turns, seed by seed.
"""

from __future__ import annotations

import itertools
import math
import os
from typing import Any

import torch

from benchmarks.tune.pairs import (
    PATIENCE,
    RESULT,
    SEEDS,
    THEIRS_MOST,
    kept,
    key_of,
    known,
    our_run,
    ours,
    sequential_run,
    spread,
    time_left,
    times,
)  # fmt: skip
from benchmarks.tune.sequential import PRUNERS, search, search_in_processes
from benchmarks.tune.tasks import target
from slalom.race.environment import environment

TASK = "digits"
Rival = tuple[int, str]  # processes, pruner


def side(rival: Rival) -> str:
    """The name of a rival's rows."""
    return "sequential" if rival == (1, "none") else f"{rival[1]} x {rival[0]}"


def measure(rival: Rival, seed: int, goal: float) -> None:
    """One rival at one seed, kept."""
    (workers, kind), a = rival, our_run(TASK, seed, goal)
    if rival == (1, "none"):
        sequential_run(TASK, seed, goal, a)
        return
    patience = PATIENCE * a["cpu"] if a["hit"] else math.inf

    def run() -> dict[str, Any]:
        if workers == 1:
            return search(TASK, seed, goal, 10 * THEIRS_MOST, patience, kind).row()
        return search_in_processes(TASK, seed, goal, 10 * THEIRS_MOST, patience, kind, workers).row()

    kept(key_of(TASK, side(rival), seed, goal), run)


def told(rivals: list[Rival], goal: float) -> list[str]:
    """What is known so far: of each rival, the seeds at which both it and ours were measured."""
    out = []
    for rival in rivals:
        both = [(known(key_of(TASK, "ours", s, goal)), known(key_of(TASK, side(rival), s, goal))) for s in range(SEEDS)]
        pairs = [(a, b) for a, b in both if a is not None and b is not None]
        if pairs:
            ratios = [b["wall"] / a["wall"] if a["hit"] else 0.0 for a, b in pairs]
            out.append(f"{rival[1]:10} {rival[0]:2} processes wall s {spread([times(b, 'wall') for _, b in pairs])}")
            out.append(f"{'ours':23} wall s {spread([times(a, 'wall') for a, _ in pairs])}")
            out.append(f"{'ours sooner, at least':23} times  {spread(ratios)}")
    return out


def main() -> None:
    """Measure, keep, and say after each seed what is known."""
    torch.set_num_threads(1)
    goal, facts, cores = target(TASK), environment(), len(os.sched_getaffinity(0))
    head = f"slalom.tune against Optuna's pruners on {TASK}, target {goal:.4f}\n{facts['date']}  {cores} cores"
    rivals = list(itertools.product(dict.fromkeys((1, cores)), PRUNERS))
    ours(TASK, 10_001, 9.0)
    for seed, rival in itertools.product(range(SEEDS), rivals):
        fresh = known(key_of(TASK, side(rival), seed, goal)) is None
        if fresh and not time_left():
            continue
        measure(rival, seed, goal)
        (RESULT / "tune-rivals.txt").write_text("\n".join([head, *told(rivals, goal)]) + "\n")
        if fresh:
            print(f"seed {seed:2d} {side(rival)}", flush=True)
    print("\n".join(told(rivals, goal)), flush=True)
