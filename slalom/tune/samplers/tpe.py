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
from scipy.special import log_ndtr, ndtr, ndtri_exp

Array = np.ndarray[Any, Any]
Columns = dict[str, Array]
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
MANY = 200  # kernels from which it is worth looking for those that are alike


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


def _scaled(numbers: Array, distributions: list[Any]) -> Array:
    """Columns `[points, parameters]` on the scales on which the kernels lie."""
    log = np.array([d.is_log for d in distributions])
    out = np.array(numbers, dtype=float)
    out[:, log] = np.log(out[:, log])
    return out


class _Parzen(_ParzenEstimator):
    """Optuna's estimator, drawn from and weighed by SciPy, all numbers at once; the same draws from the generator."""

    def _parts(self) -> tuple[list[int], list[Any]]:
        made = self._mixture_distribution.distributions
        places = [i for i, d in enumerate(made) if not isinstance(d, _BatchedCategoricalDistributions)]
        return places, [made[i] for i in places]

    def sample(self, rng: np.random.RandomState, size: int) -> Columns:
        mixture = self._mixture_distribution
        kernels = rng.choice(len(mixture.weights), p=mixture.weights, size=size)
        out = np.empty((size, len(mixture.distributions)))
        for i, d in enumerate(mixture.distributions):
            if isinstance(d, _BatchedCategoricalDistributions):
                place = rng.rand(size)
                reached = np.cumsum(d.weights[kernels], axis=1)[:, :-1]
                out[:, i] = (reached < place[:, np.newaxis]).sum(axis=1)
        places, numbers = self._parts()
        if numbers:
            mu, sigma, low, high = _kernels(numbers, kernels)
            a, b = (low - mu) / sigma, (high - mu) / sigma
            found = _inside(a, b, rng.uniform(low=0, high=1, size=a.shape)) * sigma + mu
            for i, d, row in zip(places, numbers, found, strict=True):
                value = np.exp(row) if d.is_log else row
                out[:, i] = np.clip(d.low + np.round((value - d.low) / d.step) * d.step, d.low, d.high) if d.step else value
        return self._untransform(out)

    def log_pdf(self, samples_dict: Columns) -> Array:
        points, mixture = self._transform(samples_dict), self._mixture_distribution
        total = np.log(mixture.weights)[np.newaxis].repeat(len(points), 0)
        for column, c in zip(points.T, mixture.distributions, strict=True):
            if isinstance(c, _BatchedCategoricalDistributions):
                total += np.log(c.weights.T[column.astype(np.int64)])
        places, numbers = self._parts()
        if numbers:
            mu, sigma, low, high = _kernels(numbers, slice(None))
            total -= log_mass((low - mu) / sigma, (high - mu) / sigma).sum(axis=0)
            smooth = [k for k, d in enumerate(numbers) if not d.step]
            z = _scaled(points[:, [places[k] for k in smooth]], [numbers[k] for k in smooth])
            for k, column in zip(smooth, z.T, strict=True):
                off = (column[:, np.newaxis] - mu[k]) / sigma[k]
                total -= 0.5 * off * off + (0.5 * np.log(2 * np.pi) + np.log(sigma[k]))
            for k, d in enumerate(numbers):
                if d.step:
                    total += _steps(points[:, places[k]], d)
        most = total.max(axis=1, keepdims=True)
        most[np.isneginf(most)] = 0
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.exp(total - most).sum(axis=1)) + most[:, 0])


def _kernels(numbers: list[Any], which: Any) -> tuple[Array, Array, Array, Array]:
    """Middles and widths `[parameters, kernels]`, and the ends `[parameters, 1]`."""
    low, high = ([[getattr(d, end)] for d in numbers] for end in ("adapted_low", "adapted_high"))
    return np.array([d.mu[which] for d in numbers]), np.array([d.sigma[which] for d in numbers]), np.array(low), np.array(high)


def _inside(a: Array, b: Array, q: Array) -> Array:
    """The q-quantiles of a standard normal between a and b; as Optuna has it, from the side on which nothing cancels."""
    left = a < 0
    from_left = np.logaddexp(log_ndtr(a), np.log(q) + log_mass(a, b))
    from_right = np.logaddexp(log_ndtr(-b), np.log1p(-q) + log_mass(a, b))
    return np.where(a == b, np.nan, np.where(left, ndtri_exp(from_left), -ndtri_exp(from_right)))


def _steps(column: Array, d: Any) -> Array:
    """Logarithm of the mass of the step that each value stands for `[points, kernels]`; values and kernels alike, once."""
    values, places = np.unique(column, return_inverse=True)
    mu, sigma, back = d.mu, d.sigma, None
    if len(mu) > MANY:
        (mu, sigma), back = np.unique(np.stack([mu, sigma]), axis=1, return_inverse=True)
    ends = [values - d.step / 2, values + d.step / 2]
    left, right = [((np.log(e) if d.is_log else e)[:, np.newaxis] - mu) / sigma for e in ends]
    mass = log_mass(left, right)[places]
    return mass if back is None else mass[:, back]


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

    def _others(
        self, study: optuna.Study, space: dict[str, BaseDistribution], without: int | None = None
    ) -> tuple[_Ended, Columns]:
        """What is known of the trials that have ended; and all that are not good, those under way among them, by age."""
        trials = study.get_trials(deepcopy=False)
        ended = self._of_ended(study, [t for t in trials if t.state in ENDED], space)
        running = [t for t in trials if t.state == TrialState.RUNNING and t.number != without]
        running = [t for t in running if space.keys() <= self._get_params(t, study).keys()]
        lies = self._numbers(study, running, space)
        order = np.argsort([*ended.numbers, *(t.number for t in running)], kind="stable")  # weights go by age
        return ended, {k: np.concatenate([v, lies[k]])[order] for k, v in ended.rest.items()}

    def _point(self, good: _Parzen, rest: Columns, space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """The best of some candidates, as numbers within."""
        found = good.sample(self._rng.rng, self._n_ei_candidates)
        point: dict[str, Any] = self._compare(found, good.log_pdf(found) - self._parzen(rest, space).log_pdf(found))
        return point

    def _sample(self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        ended, rest = self._others(study, search_space, trial.number)
        point = self._point(ended.good, rest, search_space)
        return {k: d.to_external_repr(point[k]) for k, d in search_space.items()}

    def batch(self, study: optuna.Study, count: int) -> list[dict[str, Any]] | None:
        """The values that Optuna would give so many trials, asked one after another; None while there are too few to go by.

        The study does not hear of them: that is for who asks.
        """
        if not self.space or sum(t.state in ENDED for t in study.get_trials(deepcopy=False)) < self._n_startup_trials:
            return None
        ended, rest = self._others(study, self.space)
        points = []
        for _ in range(count):
            point = self._point(ended.good, rest, self.space)
            value = {k: d.to_external_repr(point[k]) for k, d in self.space.items()}
            rest = {k: np.append(rest[k], float(d.to_internal_repr(value[k]))) for k, d in self.space.items()}
            points.append(value)
        return points
