"""Which hypers matter: the share of the variance of validation results that each explains, with its uncertainty.

fANOVA (Hutter, Hoos & Leyton-Brown 2014) by Optuna, with the trials drawn anew (bootstrap) for the spread. All trials are
compared at one epoch: the last that enough of them have reached. A share is of what a forest makes of so few trials: read it with
its spread.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from slalom.tune.history import History, Trial
from slalom.tune.samplers.study import distribution, outward, quiet
from slalom.tune.training.problem import Problem

LEAST = 16  # trials at an epoch
DRAWS = 8
TREES = 16


@dataclass(frozen=True)
class Importance:
    """`mean`, `sd`: share of the variance by parameter, over bootstrap draws. `epoch`, `trials`: what it was worked out from."""

    mean: dict[str, float] = field(default_factory=dict)
    sd: dict[str, float] = field(default_factory=dict)
    epoch: int = 0
    trials: int = 0

    def __iter__(self) -> Iterator[str]:
        return iter(self.mean)

    def __len__(self) -> int:
        return len(self.mean)

    def __getitem__(self, name: str) -> float:
        return self.mean[name]

    def __str__(self) -> str:
        if not self.mean:
            return "importance: too few trials to tell"
        width = max(map(len, self.mean))
        lines = [f"importance (share of variance after {self.epoch} epochs, {self.trials} trials, ± bootstrap sd)"]
        return "\n".join([*lines, *(f"  {k:<{width}} {v:6.2f} ± {self.sd[k]:.2f}" for k, v in self.mean.items())])


def importance(history: History, problem: Problem, seed: int = 0) -> Importance:
    """Of every parameter, most important first; empty with too few trials."""
    reached: dict[int, list[tuple[Any, float]]] = {}
    for trial in history.trials:
        for epoch, loss, metric in trial.rungs:
            reached.setdefault(epoch, []).append((trial, problem.told(loss, metric)))
    least = max(LEAST, 2 * len(history.space))
    enough = [e for e, rows in reached.items() if len(rows) >= least] or [e for e, rows in reached.items() if len(rows) >= LEAST]
    if not enough:
        return Importance()
    epoch = max(enough)
    rows = reached[epoch]
    rng = np.random.default_rng(seed)
    picks = [rng.integers(0, len(rows), len(rows)) for _ in range(DRAWS)]
    draws = [_shares(history, [rows[i] for i in pick], seed) for pick in picks]
    told = [d for d in draws if d]
    if not told:
        return Importance()
    names = list(history.space.params)
    table = np.array([[d.get(n, 0.0) for n in names] for d in told])
    mean, sd = table.mean(0), table.std(0, ddof=1) if len(told) > 1 else np.zeros(len(names))
    order = np.argsort(-mean, kind="stable")
    return Importance({names[i]: float(mean[i]) for i in order}, {names[i]: float(sd[i]) for i in order}, epoch, len(rows))


def used(history: History, trial: Trial) -> list[Any]:
    """A trial's values; one that is not in use there counts as the middle of its range, so that it explains nothing."""
    return [trial.config[k] if k in trial.config else p.at(0.5) for k, p in history.space.params.items()]


def _shares(history: History, rows: list[tuple[Any, float]], seed: int) -> dict[str, float]:
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    values = [v for _, v in rows]
    if max(values) - min(values) <= 0 or not all(map(math.isfinite, values)):
        return {}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    distributions = {k: distribution(p) for k, p in history.space.params.items()}
    ceiling = float(np.quantile(values, 0.9))  # a few that exploded would explain everything
    for trial, value in rows:
        params = {k: outward(p, v) for (k, p), v in zip(history.space.params.items(), used(history, trial), strict=True)}
        study.add_trial(optuna.trial.create_trial(value=min(value, ceiling), params=params, distributions=distributions))
    made: dict[str, float] = quiet(
        lambda: get_param_importances(study, evaluator=FanovaImportanceEvaluator(n_trees=TREES, seed=seed))
    )
    return made
