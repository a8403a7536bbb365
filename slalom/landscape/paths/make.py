"""`slalom.landscape(...)`: rules on a surface."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from slalom.core.checks import whole
from slalom.core.errors import BadValueError
from slalom.engines.lanes import Lane
from slalom.landscape.paths.learning_rates import GRID, Wanted, wanted
from slalom.landscape.paths.record import Landscape, Path, Trial
from slalom.landscape.paths.walk import Walk, walk
from slalom.landscape.surfaces import surface
from slalom.landscape.surfaces.registry import Like
from slalom.race.entrants import Entrant, RuleLike, entrants

MOST_STEPS = 100_000
# Of the classic animations, with Zeiler's own rho and Hinton's own alpha, which torch does not have as defaults.
RULES = ("sgd", "momentum", "nag", "adagrad", "adadelta(rho=0.95)", "rmsprop(alpha=0.9)", "adam")


def landscape(
    on: Like = "beale", rules: Sequence[RuleLike] | RuleLike | None = None, *,
    lr: float | str | Sequence[float] | Mapping[str, Any] | None = None, rotate: float = 0.0,
    start: tuple[float, float] | None = None, steps: int | None = None, seed: int = 0, grid: Sequence[float] | None = None,
) -> Landscape:  # fmt: skip
    """Every rule's path over one surface, side by side as lanes, with how its learning rate was come by.

    `on`: a surface's name (`slalom.landscape.surfaces.names()`), a `Surface`, or your own function `f(x, y)`.
    `rules`: as in `slalom.race`; by default the seven of the classic animations.
    `lr`: None: the surface's hand-picked ones, which show each rule's character (rules without one are tuned, and a note
    says so); a number: one for all; a list: a band, every rule at every one; a mapping: `{"sgd": 0.1, ...}`; `"tuned"`: each
    rule's best of `grid` (29 rates, 1e-5 to 1e2, `steps` steps each: fewest steps to the goal, then the lowest end).
    `rotate`: degrees against the clock. `start`: in the turned picture. `seed`: of a noisy surface's batches.
    Errors: BadValueError, UnknownNameError.

    >>> import slalom
    >>> made = slalom.landscape("saddle", ["sgd", "adagrad"])
    >>> made["adagrad"].arrived, made["sgd"].arrived
    (17, None)
    >>> made["adagrad"].points.shape
    (141, 2)
    """
    ground = surface(on, rotate)
    steps = ground.steps if steps is None else steps
    whole(steps, "steps", 1, MOST_STEPS)
    if whole(seed, "seed", 0) and ground.batch is None:
        raise BadValueError(f"seed draws the batches of a noisy surface, and {ground.name} has none; leave it out, got {seed}")
    if start is not None:
        if len(start) != 2 or not all(isinstance(v, int | float) and math.isfinite(v) for v in start):
            raise BadValueError(f"start must be two finite numbers (x, y), got {start!r}")
        ground = replace(ground, start=(float(start[0]), float(start[1])))
    who = entrants(RULES if rules is None else rules)
    if grid is not None and lr not in (None, "tuned"):
        raise BadValueError(f"grid is what lr='tuned' searches; leave it out with lr={lr!r}")
    plan = wanted(lr, who, ground.lrs, ground.goal.words, steps, _grid(grid))
    lanes = [Lane(e.optimizer(rate), seed) for e, rates in zip(who, plan.rates, strict=True) for rate in rates]
    done = walk(ground, lanes, steps, seed=seed)
    return Landscape(ground, tuple(_paths(who, plan, done)), steps, seed, plan.fairness, (*plan.notes, *done.notes))


def _grid(given: Sequence[float] | None) -> tuple[float, ...]:
    if given is None:
        return GRID
    made = tuple(sorted(float(v) for v in given))
    if len(made) < 2 or not all(math.isfinite(v) and v > 0 for v in made):
        raise BadValueError(f"grid must be at least two learning rates > 0, got {list(given)!r}")
    return made


def _paths(who: Sequence[Entrant], plan: Wanted, done: Walk) -> list[Path]:
    made, first = [], 0
    for one, rates, search in zip(who, plan.rates, plan.search, strict=True):
        rows = range(first, first + len(rates))
        first = rows.stop
        trials = tuple(Trial(lr, done.arrived[k], float(done.losses[k, -1])) for lr, k in zip(rates, rows, strict=True))
        if search:
            best = min(range(len(rates)), key=lambda i: _quality(trials[i]))
            edge = len(rates) > 2 and best in (0, len(rates) - 1)
            made.append(_path(one, rates[best], done, rows[best], trials, edge))
        else:
            made += [_path(one, lr, done, k, (), False) for lr, k in zip(rates, rows, strict=True)]
    return made


def _quality(trial: Trial) -> tuple[bool, float, float]:
    lost = not math.isfinite(trial.loss)
    return trial.arrived is None, trial.arrived or 0, math.inf if lost else trial.loss


def _path(one: Entrant, lr: float, done: Walk, k: int, trials: tuple[Trial, ...], edge: bool) -> Path:
    points, losses = np.array(done.points[k]), np.array(done.losses[k])
    points.flags.writeable = losses.flags.writeable = False
    return Path(one.label, lr, points, losses, done.arrived[k], done.stopped[k], trials, edge)
