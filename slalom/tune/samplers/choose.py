"""Which sampler a search gets, by what is asked for, or by its budget and space; and why."""

from __future__ import annotations

from dataclasses import dataclass

from slalom.core.errors import BadValueError, unknown_name
from slalom.tune.samplers.annealing import Annealing
from slalom.tune.samplers.base import Asked, Past, Sampler
from slalom.tune.samplers.cma import CMA
from slalom.tune.samplers.plain import GridSearch, RandomSearch, grid_points
from slalom.tune.samplers.study import OptunaSampler
from slalom.tune.space.space import Space

METHODS = {
    "auto": "by the budget and the space; says which and why",
    "manual": "only what you enqueue",
    "grid": "every combination of evenly spread values",
    "random": "independent points",
    "bayesian": "Optuna's TPE: points where good trials are dense and bad ones are not",
    "gp": "Optuna's Gaussian process; seconds a point, for small budgets",
    "evolution": "Optuna's NSGA-II, a batch of lanes being its population",
    "cma": "CMA-ES, for spaces of numbers",
    "annealing": "neighbours of the present point, worse ones accepted ever more seldom",
}
OPTUNA = {"bayesian": "tpe", "gp": "gp", "evolution": "nsga2"}
GRID_MOST = 64  # a space with so few combinations is tried whole
FEW = 24  # trials below which no model is worth its name
MANY = 1500  # trials from which TPE's time to ask grows beyond that of training
GP_MOST = 250


@dataclass(frozen=True)
class Chosen:
    """A method and the reason in a sentence."""

    method: str
    why: str


class Manual:
    """Gives no points of its own."""

    name = "manual"

    def ask(self, count: int, history: object) -> list[Asked]:
        return []


def chosen(method: str, space: Space, trials: int | None) -> Chosen:
    """The method that is asked for, checked; for `auto` the one that suits `trials` (None: a budget of time or steps)."""
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    if method == "gp" and (trials is None or trials > GP_MOST):
        said = "a budget without a number of trials" if trials is None else f"{trials} trials"
        raise BadValueError(f"method 'gp' is for at most {GP_MOST} trials (seconds a point), got {said}; take 'bayesian'")
    if method != "auto":
        return Chosen(method, "asked for")
    sizes = [p.count for p in space.params.values()]
    if all(size is not None for size in sizes):
        combinations = len(GridSearch(space, 0, 1000)) if _product(sizes) <= 10 * GRID_MOST else None
        if combinations is not None and combinations <= GRID_MOST and (trials is None or combinations <= trials):
            return Chosen("grid", f"the space has {combinations} combinations, so each is tried")
    if trials is not None and trials < FEW:
        return Chosen("random", f"{trials} trials are too few to model {len(space)} parameters")
    if trials is not None and trials > MANY:
        return Chosen("evolution", f"with {trials} trials TPE would take longer to ask than lanes to train")
    return Chosen("bayesian", f"TPE suits {len(space)} mixed parameters" + (f" and {trials} trials" if trials else ""))


def _product(sizes: list[int | None]) -> int:
    out = 1
    for size in sizes:
        out *= size or 1
    return out


def sampler_of(
    method: str, space: Space, seed: int, *, trials: int, batch: int, points: int | None, storage: str | None,
    study_name: str = "slalom",
) -> Sampler:  # fmt: skip
    """The sampler of a method; `trials`: how many it is laid out for. `points`: of a grid, a number."""
    if storage is not None and method not in OPTUNA:
        raise BadValueError(f"storage is for a study of Optuna's: method must be one of {', '.join(OPTUNA)}, got {method!r}")
    if points is not None and method != "grid":
        raise BadValueError(f"points is of a grid, got {points} with method {method!r}; take method='grid' or leave it out")
    if method == "random":
        return RandomSearch(space, seed)
    if method == "grid":
        return GridSearch(space, seed, points or grid_points(space, trials))
    if method == "annealing":
        return Annealing(space, seed, trials)
    if method == "cma":
        return CMA(space, seed, batch)
    if method == "manual":
        return Manual()
    return OptunaSampler(space, seed, OPTUNA[method], batch, storage, study_name)


__all__ = ["METHODS", "Chosen", "Past", "chosen", "sampler_of"]
