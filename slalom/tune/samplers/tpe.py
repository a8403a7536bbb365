"""Optuna's TPE for batches: the same points, worked out once where Optuna does so for every single one.

Within a batch nothing is told, so the trials that have ended are split and turned into numbers once, and the density of the good
ones is built once; each ask adds the points before it to the density of the rest (the constant liar). The mass of truncated
normals comes from SciPy's `log_ndtr` in place of a Python loop over its arguments. At 1,000 trials of 9 parameters these two are
nine tenths of the time. A test holds the points against Optuna's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from optuna.samplers._tpe.probability_distributions import _BatchedCategoricalDistributions
from optuna.samplers._tpe.sampler import _split_trials, default_gamma
from optuna.trial import FrozenTrial, TrialState
from scipy.special import log_ndtr, ndtr

Array = np.ndarray[Any, Any]
Columns = dict[str, Array]


def log_mass(a: Array, b: Array) -> Array:
    """Logarithm of a standard normal's mass between a and b; worked out on the left, where nothing cancels."""
    right = a > 0
    low, high = np.where(right, -b, a), np.where(right, -a, b)
    out = np.empty(np.shape(low))
    left = high <= 0
    upper = log_ndtr(high[left])
    out[left] = upper + np.log1p(-np.exp(log_ndtr(low[left]) - upper))
    out[~left] = np.log1p(-ndtr(low[~left]) - ndtr(-high[~left]))
    return out


class _Parzen(_ParzenEstimator):
    """Optuna's estimator; its density by SciPy."""

    def log_pdf(self, samples_dict: Columns) -> Array:
        points, mixture = self._transform(samples_dict), self._mixture_distribution
        total = np.log(mixture.weights)[np.newaxis].repeat(len(points), 0)
        for column, d in zip(points.T, mixture.distributions, strict=True):
            if isinstance(d, _BatchedCategoricalDistributions):
                total += np.log(d.weights.T[column.astype(np.int64)])
                continue
            # Kernels that several trials share, and values that several candidates do, are worked out once.
            kernels, back = np.unique(np.stack([d.mu, d.sigma]), axis=1, return_inverse=True)
            mu, sigma = kernels
            mass = log_mass((d.adapted_low - mu) / sigma, (d.adapted_high - mu) / sigma)
            if d.step:
                values, places = np.unique(column, return_inverse=True)
                ends = [values - d.step / 2, values + d.step / 2]
                left, right = [((np.log(e) if d.is_log else e)[:, np.newaxis] - mu) / sigma for e in ends]
                total += (log_mass(left, right) - mass)[np.ix_(places, back)]
            else:
                z = ((np.log(column) if d.is_log else column)[:, np.newaxis] - d.mu) / d.sigma
                total += -0.5 * z * z - (0.5 * np.log(2 * np.pi) + np.log(sigma) + mass)[back]
        most = total.max(axis=1, keepdims=True)
        most[np.isneginf(most)] = 0
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.exp(total - most).sum(axis=1)) + most[:, 0])


@dataclass
class _Ended:
    """What is known of the trials that have ended: their count, the density of the good ones, and the rest as numbers."""

    count: int
    good: _Parzen
    numbers: list[int]
    rest: Columns


class BatchTPE(TPESampler):
    """`space`: what every trial has. See the module."""

    def __init__(self, space: dict[str, BaseDistribution], seed: int) -> None:
        super().__init__(seed=seed)
        self.space = {k: d for k, d in sorted(space.items()) if not d.single()}
        self.ended: _Ended | None = None

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.space

    def _numbers(self, study: optuna.Study, trials: list[FrozenTrial], space: dict[str, BaseDistribution]) -> Columns:
        params = [self._get_params(t, study) for t in trials]
        return {k: np.array([d.to_internal_repr(p[k]) for p in params], dtype=float) for k, d in space.items()}

    def _parzen(self, columns: Columns, space: dict[str, BaseDistribution]) -> _Parzen:
        return _Parzen(columns, space, self._parzen_estimator_parameters)

    def _of_ended(self, study: optuna.Study, trials: list[FrozenTrial], space: dict[str, BaseDistribution]) -> _Ended:
        if self.ended is None or self.ended.count != len(trials):
            good, rest = _split_trials(study, trials, default_gamma(len(trials)))
            density = self._parzen(self._numbers(study, good, space), space)
            self.ended = _Ended(len(trials), density, [t.number for t in rest], self._numbers(study, rest, space))
        return self.ended

    def _sample(self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        trials = study.get_trials(deepcopy=False)
        ended = self._of_ended(study, [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)], search_space)
        running = [t for t in trials if t.state == TrialState.RUNNING and t.number != trial.number]
        running = [t for t in running if search_space.keys() <= self._get_params(t, study).keys()]
        lies = self._numbers(study, running, search_space)
        order = np.argsort([*ended.numbers, *(t.number for t in running)], kind="stable")  # weights go by age
        rest = self._parzen({k: np.concatenate([v, lies[k]])[order] for k, v in ended.rest.items()}, search_space)
        found = ended.good.sample(self._rng.rng, self._n_ei_candidates)
        point = self._compare(found, ended.good.log_pdf(found) - rest.log_pdf(found))
        return {k: d.to_external_repr(point[k]) for k, d in search_space.items()}
