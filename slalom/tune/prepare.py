"""From the arguments of `slalom.tune` to a checked plan and the objects that it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch

from slalom.core.checks import whole
from slalom.core.errors import BadDataError, BadValueError
from slalom.data import load
from slalom.data.record import Data
from slalom.nets.spec import parse
from slalom.race.metrics import resolve_metric
from slalom.race.prepare import batch_rows, loss_for
from slalom.race.variants.made import example
from slalom.tune.budget import budget_of
from slalom.tune.driver import Parts
from slalom.tune.plan import TunePlan, make_plan
from slalom.tune.samplers import chosen, sampler_of
from slalom.tune.space.default import default_space
from slalom.tune.space.space import Space, as_space
from slalom.tune.training.augment import augment_of, loss_of
from slalom.tune.training.config import Training, check_names, lane_of
from slalom.tune.training.family import Factories, Family, MLPs, family_of
from slalom.tune.training.folds import Folds
from slalom.tune.training.problem import Problem

LAID_OUT = 256  # trials that annealing and a grid are laid out for where the budget is not in trials
BATCHES = 6  # a search by a model wants this many batches at least, to learn from one to the next
LANES = 32


def _space(given: Any, family: Family, data: Data, model: Any) -> Space:
    declared = family.declared if isinstance(family, Factories) else {}
    if given is None:
        shaped = isinstance(model, str) and parse(model).widths is not None if isinstance(family, MLPs) else True
        return Space(default_space(data, declared, mlp=isinstance(family, MLPs), fixed_shape=shaped))
    space = as_space(given)
    own = {k: v for k, v in declared.items() if k not in space.params and k not in space.fixed}
    return Space({**space.params, **space.fixed, **own}) if own else space


def _lanes(lanes: int | None, trials: int | None, method: str) -> int:
    if lanes is not None:
        return whole(lanes, "lanes", 1)
    if trials is None or method in ("grid", "random", "manual"):
        return LANES
    return max(8, min(LANES, trials // BATCHES))


def _callables(**given: Any) -> list[str]:
    return [k for k, v in given.items() if v is not None and callable(v)]


def prepare(
    model: Any, data: Any, *, space: Any, budget: Any, method: str, lanes: Any, epochs: int, halving: Any, batch_size: Any,
    loss: Any, metric: Any, data_options: dict[str, Any], points: Any, **plain: Any,
) -> Parts:  # fmt: skip
    """See `slalom.tune`."""
    limit = budget_of(budget)
    record: Data = load(data, **data_options)
    family = family_of(model, record)
    made = _space(space, family, record, model)
    if isinstance(family, Factories):
        lacking = [k for k in family.lacking if k not in made.params and k not in made.fixed]
        if lacking:
            raise BadValueError(
                f"model {family.name} needs {', '.join(lacking)}; name a range in the space, or annotate the argument, as in "
                f"def {family.name}({lacking[0]}: slalom.tune.Int(16, 256, log=True))"
            )
    check_names(made, family.names)
    how = chosen(method, made, limit.trials)
    found = resolve_metric(metric, record)
    task_loss = loss_for(loss, record)
    eta = _eta(halving)
    names = _callables(model=None if isinstance(model, str) else model, loss=loss, metric=metric)
    names += ["model"] if isinstance(model, torch.nn.Module) and "model" not in names else []
    notes = [*record.notes, *([family.note] if family.note else []), f"{how.method}: {how.why}", *_augments(made, record)]
    plan = make_plan(
        model=family.spec if isinstance(family.spec, str) else None,
        model_name=family.name,
        data=record.describe(),
        data_source=record.source,
        data_options=data_options,
        space=made.to_dict(),
        trials=limit.trials, seconds=limit.seconds, lane_steps=limit.lane_steps,
        method=how.method,
        why=how.why,
        lanes=_lanes(lanes, limit.trials, how.method),
        epochs=epochs,
        halving=eta,
        loss=task_loss if isinstance(task_loss, str) else getattr(task_loss, "__name__", type(task_loss).__name__),
        metric=found.name,
        higher_is_better=found.higher_is_better,
        counts=found.counts,
        batch_size=batch_rows(batch_size, len(record.train)),
        points=points,
        notes=notes,
        callables=[*names, *(["data"] if not record.source else [])],
        **plain,
    )  # fmt: skip
    return parts_of(plan, record, family, made, task_loss, found)


def _eta(halving: Any) -> float:
    if halving is None or halving is False:
        return 1.0
    if isinstance(halving, bool) or not isinstance(halving, int | float) or not halving > 1:
        raise BadValueError(f"halving must be a number > 1 (one in that many goes on at a rung), or None; got {halving!r}")
    return float(halving)


def parts_of(plan: TunePlan, data: Data, family: Family, space: Space, loss: Any, metric: Any) -> Parts:
    """A plan with the objects it names; the space's corners are tried out, so that what cannot be trained is said at once."""
    problem = Problem(
        data, family, loss, metric, plan.epochs, plan.seed, plan.objective, getattr(torch, plan.dtype),
        folds=None if plan.folds is None else Folds.of(data, plan.folds, plan.data_options.get("seed", 0)),
        defaults={"batch_size": plan.batch_size},
    )  # fmt: skip
    _try_out(problem, space)
    batch = plan.lanes
    sampler = sampler_of(
        plan.method, space, plan.seed, trials=plan.trials or LAID_OUT, batch=batch, points=plan.points, storage=plan.storage,
        study_name=study_name(plan),
    )  # fmt: skip
    return Parts(plan, problem, space, sampler)


def study_name(plan: TunePlan) -> str:
    """The name under which searches share a study: of the same data, space, model, epochs and objective."""
    same = [plan.data["fingerprint"], plan.space, plan.model_name, plan.epochs, plan.objective, plan.loss]
    return f"slalom-{plan.data['name']}-{hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:12]}"


def _augments(space: Space, data: Data) -> list[str]:
    """Notes on shapes that augmentation had to guess."""
    param = space.params.get("augment")
    texts = space.fixed.get("augment"), *(param.grid(99) if param is not None else ())
    return list(dict.fromkeys(note for t in texts if (note := augment_of({"augment": t}, data)[1])))


def _try_out(problem: Problem, space: Space) -> None:
    for u in (0.0, 0.5, 1.0):
        for places in [dict.fromkeys(space.params, u)] if u != 0.5 else _each(space):
            config = space.active(space.at(places))
            training = Training.of(config, problem.rows, problem.epochs, problem.defaults)
            lane_of(config, training, 0)
            augment, _ = augment_of(config, problem.data)
            example(augment, problem.data.train.x[:2], problem.data.train.y[:2])
            loss_of(augment, problem.loss)
    problem.family.module(space.active(space.at(dict.fromkeys(space.params, 0.5))), 0)


def _each(space: Space) -> list[dict[str, float]]:
    """The middle, and from there each choice of each parameter with few values."""
    middle = dict.fromkeys(space.params, 0.5)
    out = [middle]
    for name, param in space.params.items():
        if param.scale == "choice":
            out += [{**middle, name: param.unit(v)} for v in param.grid(99)]
    return out


def prepare_again(plan: TunePlan, given: Mapping[str, Any]) -> Parts:
    """The objects of a stored plan, built or handed in again, and checked to be the same."""
    missing = [k for k in plan.callables if given.get(k) is None]
    if missing:
        raise BadValueError(
            f"this search was started from Python with its own {', '.join(missing)}; resume it with "
            f"slalom.tune.resume(directory, {', '.join(f'{k}=...' for k in missing)})"
        )
    extra = [k for k, v in given.items() if v is not None and k not in plan.callables]
    if extra:
        raise BadValueError(f"the plan of this search has its own {', '.join(extra)}; leave them out")
    record = load(**plan.data_source) if plan.data_source else load(given["data"], **plan.data_options)
    if record.fingerprint != plan.data["fingerprint"]:
        raise BadDataError(
            f"the data {plan.data['name']!r} are not those that the search was started on; bring the old data back, or start anew"
        )
    model = given.get("model") if "model" in plan.callables else plan.model
    metric = resolve_metric(given.get("metric") or plan.metric, record)
    space = Space(dict(plan.space.items()))
    return parts_of(plan, record, family_of(model, record), space, given.get("loss") or plan.loss, metric)
