"""The winner and its near-equals trained anew over fresh seeds; the best of them by mean validation opens the test part, once.

The best of many validation results is too good for two reasons: it is the luckiest of many, and configurations were chosen by
it. Fresh seeds take the first away, the test part shows the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from slalom.core.errors import SlalomError
from slalom.tune.events import Confirmed, Tested
from slalom.tune.history import Trial
from slalom.tune.training.group import GroupRun, Member, groups_of
from slalom.tune.training.problem import Problem

FRESH = 0x5EED_0000  # seeds of the finalists lie apart from those of trials


@dataclass
class Confirmation:
    """The finalists' figures, the winner's on test, and its model of the best seed by validation."""

    confirmed: Confirmed
    tested: Tested
    model: nn.Module


def fresh_seeds(seed: int, count: int) -> list[int]:
    """Seeds that no trial has had."""
    return [(FRESH + 977 * seed + i) % 2**32 for i in range(count)]


def confirm(problem: Problem, finalists: Sequence[Trial], seeds: int, seconds: Any) -> Confirmation:
    """Train each finalist over the fresh seeds, side by side. `seconds()`: since the search began."""
    numbers = fresh_seeds(problem.seed, seeds)
    members = [
        Member(i * seeds + j, trial.config, seed, seed) for i, trial in enumerate(finalists) for j, seed in enumerate(numbers)
    ]
    runs: dict[int, GroupRun] = {}
    val = np.full((2, len(members)), np.nan)
    for group in groups_of(problem, members):
        run = GroupRun(problem, group)
        for standing in run.to(problem.epochs):
            runs[standing.number] = run
            if not standing.diverged:
                val[:, standing.number] = standing.loss, standing.metric
    losses, metrics = val.reshape(2, len(finalists), seeds)
    told = np.array([[problem.told(x, m) for x, m in zip(a, b, strict=True)] for a, b in zip(losses, metrics, strict=True)])
    best = int(np.argmin(told.mean(1)))
    if not np.isfinite(losses[best]).any():
        raise SlalomError("every finalist diverged when it was trained anew; lower the learning rates of the space")
    records = [
        {"number": t.number, "seeds": numbers, "val_loss": losses[i].tolist(), "val_metric": metrics[i].tolist()}
        for i, t in enumerate(finalists)
    ]
    own = [best * seeds + j for j in range(seeds)]
    if problem.folds is not None:
        runs = _refitted(problem.refit(), [members[k] for k in own])
    test = np.stack([_test(problem, runs[k], k) for k in own], axis=1)
    j = int(np.nanargmin(np.where(np.isfinite(losses[best]), told[best], np.nan)))
    return Confirmation(
        Confirmed(records, finalists[best].number, seconds()),
        Tested(finalists[best].number, numbers, test[0].tolist(), test[1].tolist(), numbers[j]),
        runs[own[j]].module(own[j]),
    )


def _refitted(problem: Problem, members: Sequence[Member]) -> dict[int, GroupRun]:
    """The winner over its seeds on all rows that are not for the test; k-fold validation has trained it on parts of them."""
    runs: dict[int, GroupRun] = {}
    for group in groups_of(problem, members):
        run = GroupRun(problem, group)
        runs |= {standing.number: run for standing in run.to(problem.epochs)}
    return runs


def _test(problem: Problem, run: GroupRun, number: int) -> Any:
    """Loss and metric of one member on the test part; nobody else's are looked at."""
    import torch

    module = run.module(number)
    x = problem.data.test.x.to(problem.dtype)
    with torch.no_grad():
        outputs = module(x)
    return np.array([float(measure(outputs, problem.data.test.y)) for measure in run.measures])


def near_equals(ranking: Sequence[Trial], most: int) -> list[Trial]:
    """The first of a ranking and those behind it, each configuration once."""
    out: list[Trial] = []
    for trial in ranking:
        if len(out) < most and all(trial.config != other.config for other in out):
            out.append(trial)
    return out
