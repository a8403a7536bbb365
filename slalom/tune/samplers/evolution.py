"""Optuna's NSGA-II for batches: what no ask of a batch changes, generation and parents, is worked out by the first."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import NSGAIISampler
from optuna.trial import FrozenTrial

from slalom.tune.samplers.study import NOTED


class Ordered(NSGAIISampler):
    """Parents in the order of their numbers: Optuna has them in another one when it first works them out.

    `space`: what every trial has. One is made for each batch.
    """

    def __init__(self, space: dict[str, BaseDistribution], size: int, seed: int) -> None:
        super().__init__(population_size=size, seed=seed)
        self.space = {k: d for k, d in sorted(space.items()) if not d.single()}
        self.generation: int | None = None
        self.parents: dict[int, list[FrozenTrial]] = {}

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.space

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:
        if self.generation is None:
            self.generation = super().get_trial_generation(study, trial)
        elif NOTED not in trial.system_attrs:
            study._storage.set_trial_system_attr(trial._trial_id, NOTED, self.generation)
        return self.generation

    def get_parent_population(self, study: Any, generation: int) -> list[FrozenTrial]:
        if generation not in self.parents:
            self.parents[generation] = sorted(super().get_parent_population(study, generation), key=lambda t: t.number)
        return self.parents[generation]
