"""Every method's learning rate for every problem, optimizer and seed, with its cost in training steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import slalom
from benchmarks.range.problem import OPTIMIZERS, Problem, example
from benchmarks.range.rivals import FINDERS
from slalom.core.rule import get_rule
from slalom.engines.lanes import Lane, Lanes
from slalom.race.order import batches

PASS = 100  # steps of the rivals' test
SEEDS = [300, 301]  # none of the truth's, so that no pick has seen the runs that judge it; others judged earlier methods
HABIT = {"sgd": 0.01, "momentum": 0.01, "rmsprop": 0.001, "adam": 0.001}
Pick = dict[str, Any]  # lr, cost, and for lanes the interval


def ours(problem: Problem, optimizer: str, seed: int) -> dict[str, Pick]:
    given = {"optimizer": optimizer, "seeds": [seed], "loss": problem.loss, "batch_size": problem.batch}
    made: dict[str, Pick] = {}
    found = slalom.range_test(problem.source, problem.data, **given)
    made["slalom lanes"] = {"lr": found.suggestion, "cost": found.cost, "interval": found.interval}
    swept = slalom.range_test(problem.source, problem.data, method="sweep", **given)
    for name, lr in swept.suggestions.items():
        made[f"slalom sweep, {name}"] = {"lr": lr, "cost": swept.cost}
    return made


def rivals(problem: Problem, optimizer: str) -> list[dict[str, Pick]]:
    """For each seed; rules of one range share the raw losses."""
    raw = {}
    for low, high in {(low, high) for low, high, _ in FINDERS.values()}:
        lrs = np.geomspace(low, high, PASS)
        rule = get_rule(optimizer)(lr=low)
        every = [Lane(rule, seed, lambda t, lrs=lrs, low=low: float(lrs[t] / low)) for seed in SEEDS]
        lanes = Lanes(problem.source, every, loss=problem.loss, example=example(problem))
        parts, epoch = [], 0
        while lanes.t < PASS:
            index = batches(SEEDS, epoch, len(problem.x), problem.batch)[: PASS - lanes.t]
            parts.append(lanes.epoch(problem.x, problem.y, index)[0])
            epoch += 1
        losses = np.concatenate(parts)
        raw[low, high] = (lrs, np.where(np.isfinite(losses), losses, np.inf))
    made: list[dict[str, Pick]] = []
    for k in range(len(SEEDS)):
        found = {name: rule(raw[low, high][0], raw[low, high][1][:, k]) for name, (low, high, rule) in FINDERS.items()}
        made.append({name: {"lr": lr, "cost": PASS} for name, lr in found.items()})
    return made


def collect(problems: Sequence[Problem], file: Path) -> dict[str, dict[str, Pick]]:
    """`problem/optimizer/seed` -> method -> pick; kept in `file` as it goes, and what is there is not done again."""
    kept: dict[str, dict[str, Pick]] = json.loads(file.read_text()) if file.exists() else {}
    for problem in problems:
        for optimizer in OPTIMIZERS:
            if f"{problem.name}/{optimizer}/{SEEDS[-1]}" in kept:
                continue
            others = rivals(problem, optimizer)
            for k, seed in enumerate(SEEDS):
                fixed = {"habit (SGD .01, adaptive .001)": {"lr": HABIT[optimizer], "cost": 0}}
                kept[f"{problem.name}/{optimizer}/{seed}"] = {**ours(problem, optimizer, seed), **others[k], **fixed}
            file.write_text(json.dumps(kept))
            print(f"picks of {problem.name}/{optimizer}", flush=True)
    return kept
