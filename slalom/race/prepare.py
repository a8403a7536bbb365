"""From the arguments of `slalom.race` to a checked plan and the objects that it names."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slalom.core.errors import BadDataError, BadValueError
from slalom.core.rule import Settings
from slalom.data import load
from slalom.data.record import Data
from slalom.engines.lanes import TorchOptimizer
from slalom.engines.lanes.choose import trial
from slalom.engines.lanes.lane import momentum_hyper
from slalom.engines.lanes.layout import Layout, beside, initialise
from slalom.engines.lanes.losses import Loss, lane_loss
from slalom.engines.lanes.solo import Solo
from slalom.engines.response import must_respond
from slalom.nets import build
from slalom.race.compare.kits import kit_of
from slalom.race.entrants import Entrant, entrants
from slalom.race.heat import lane_for
from slalom.race.metrics import in_units, resolve_metric
from slalom.race.parts import Parts
from slalom.race.plan import Plan, make_plan
from slalom.race.variants.augment import hand_in, needs_object
from slalom.race.variants.axes import variants
from slalom.race.variants.made import example, make
from slalom.race.variants.planned import STOPPING_NOTE, planned_rules
from slalom.schedules import Schedule, resolve

MEMORY_SHARE = 0.25  # of this machine's memory, for the parameters, gradients and states of a heat


@dataclass(frozen=True)
class Prepared:
    """A plan, its objects, and what the person should be told before it starts."""

    plan: Plan
    parts: Parts
    notes: list[str]


def seed_list(seeds: int | Sequence[int]) -> list[int]:
    """Seeds 0..n-1 for a number, the list itself otherwise; each must be named once."""
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        if seeds < 1:
            raise BadValueError(f"seeds must be a number >= 1 or a list, got {seeds}")
        return list(range(seeds))
    made = np.asarray(seeds).tolist() if isinstance(seeds, np.ndarray | np.integer | range) else seeds
    if isinstance(made, int) and not isinstance(made, bool):
        return seed_list(made)
    made = list(made) if isinstance(made, Sequence) and not isinstance(made, str) else [made]
    made = [int(seed) if isinstance(seed, np.integer) else seed for seed in made]
    for seed in made:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
            raise BadValueError(f"seeds must be whole numbers in [0, 2**32), got {seed!r}")
    if not made or len(set(made)) != len(made):
        raise BadValueError(f"seeds must be named once each, at least one; got {made}")
    return [int(seed) for seed in made]


def batch_rows(batch_size: int | str, n: int) -> int:
    """Samples a step: the number, at most all `n`, or all for "full"."""
    if batch_size == "full":
        return n
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise BadValueError(f"batch_size must be a whole number >= 1 or 'full', got {batch_size!r}")
    return min(batch_size, n)


def _schedule(spec: Any, plan_steps: int, per_epoch: int) -> Schedule | None:
    made = None if spec is None else resolve(spec, plan_steps, per_epoch)
    if made is not None and made.lanes is not None:
        raise BadValueError(
            f"schedule: a race has one for all its lanes, and this one has values for {made.lanes}; give one number for each "
            "field, or train lanes of your own (slalom.lanes_of)"
        )
    return made


def _momentum_note(schedule: Schedule | None, plan: Plan) -> list[str]:
    """Which rules have no momentum that a schedule of momentum could set."""
    if schedule is None or not schedule.cycles_momentum:
        return []
    without = [r.label for r in plan.rules if momentum_hyper(r.entrant.optimizer(r.lrs[0])) is None]
    return [f"the schedule swings the momentum too, where there is one: not in {', '.join(without)}"] if without else []


def _text(value: Any, default: str) -> str:
    """How an argument stands in the plan: its own text, or the name of a Python object."""
    if value is None:
        return default
    return value if isinstance(value, str) else getattr(value, "__name__", type(value).__name__)


def heat_limit(factory: Callable[[], nn.Module], dtype: torch.dtype) -> int:
    """Lanes whose parameters, gradients, states and a checkpoint's copies fit the share of memory."""
    row = Layout.of(initialise(factory, 0)).length * torch.empty((), dtype=dtype).element_size()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, int(MEMORY_SHARE * memory / (10 * row)))


def prepare(
    model: Any,
    data: Any,
    *,
    rules: Any,
    lrs: Any,
    seeds: Any,
    batch_size: Any,
    schedule: Any,
    loss: Any,
    metric: Any,
    widen: Any,
    data_options: dict[str, Any],
    axes: dict[str, Any],
    compare: str | None = None,
    **plain: Any,
) -> Prepared:
    """See `slalom.race`."""
    chosen = [dataclasses.replace(e, hypers=_plain(e)) for e in entrants(rules)]
    if isinstance(lrs, int | float) and not isinstance(lrs, bool):
        lrs = [lrs]
    settings = variants(axes)
    numbers = seed_list(seeds)
    record: Data = load(data, **data_options)
    factory = build(model, record)
    kit = None if compare is None else kit_of(compare)
    if kit is not None:
        settings = kit.settings(record)
    planned = planned_rules(chosen, settings, factory, lrs, coarse=kit is not None)
    rates = {r.label: r.lrs for r in planned}
    found = resolve_metric(metric, record)
    task_loss = loss_for(loss, record)
    made = make([r.variant for r in planned], factory, record, task_loss)
    _measurable(found.name, record)
    size = batch_rows(batch_size, len(record.train))
    lanes = sum(len(r) for r in rates.values()) * len(numbers)
    callables = [k for k, v in (("schedule", schedule), ("loss", loss), ("metric", metric)) if callable(v)]
    callables += ["model"] * (factory.spec is None) + ["data"] * (not record.source)
    kind = {"float64": torch.float64}.get(str(plain["dtype"]), torch.float32)
    callables += ["augment"] * any(needs_object(r.variant["augment"]) for r in planned if "augment" in r.variant)
    notes = list(record.notes) + ([factory.note] if factory.note else [])
    notes += list(dict.fromkeys(m.note for m in made if m.note))
    if any("early_stopping" in r.variant for r in planned):
        notes.append(STOPPING_NOTE)
    if plain["dtype"] == "float32" and (own := _floats(factory, numbers[0]) - {torch.float32}):
        made_as = ", ".join(sorted(map(str, own)))
        notes.append(f"the model is made with {made_as} and trained as torch.float32; dtype='float64' is the other choice")
    if isinstance(batch_size, int) and batch_size > size:
        notes.append(f"batch size {batch_size} is larger than the training part; it is {size}, the full batch")
    limit = min(heat_limit(f, kind) for f in {id(m.factory): m.factory for m in made}.values())
    if lanes > limit:
        notes.append(f"{lanes} lanes are trained {limit} at a time, to stay within a quarter of this machine's memory")
    notes += [] if kit is None else kit.notes(record)
    if len(numbers) < 3:
        notes.append(f"seeds: {len(numbers)}; too few to tell close rules apart, 3 or more are better")
    plan = make_plan(
        model=factory.spec,
        model_name=factory.name,
        model_note=factory.note,
        data=record.describe(),
        data_source=record.source,
        data_options=data_options,
        rules=planned,
        seeds=numbers,
        batch_size=size,
        schedule=None if schedule is None else _text(schedule, ""),
        loss=_text(task_loss, ""),
        metric=found.name,
        higher_is_better=found.higher_is_better,
        counts=found.counts,
        widen=lrs is None if widen is None else widen,
        threads=torch.get_num_threads(),
        heat_lanes=limit,
        notes=notes,
        callables=callables,
        compare=compare,
        **plain,
    )
    factor = _schedule(schedule, plan.total_steps, plan.steps_per_epoch)
    notes += _momentum_note(factor, plan)
    plan = plan.model_copy(update={"notes": notes})
    parts = Parts(factory, record, found, task_loss, factor, made)
    _try_out(parts, plan)
    return Prepared(plan, parts, notes)


def _floats(factory: Callable[[], nn.Module], seed: int) -> set[torch.dtype]:
    """The real dtypes of a model as it is made."""
    return {p.dtype for p in initialise(factory, seed).parameters() if p.is_floating_point()}


def _plain(e: Entrant) -> dict[str, Any]:
    """The hypers as the plan's JSON gives them back (tuples become lists), so that a resumed race names them alike."""
    try:
        made: dict[str, Any] = json.loads(json.dumps(dict(e.hypers)))
    except (TypeError, ValueError) as error:
        raise BadValueError(f"{e.label}: hypers must be numbers, text, True, False, None or lists of these ({error})") from error
    return made


def _try_out(parts: Parts, plan: Plan) -> None:
    """One model's step on the first and the last batch of an epoch, its metric, and torch's optimizers: before anything is
    written. What a race cannot do is said at once."""
    data, kind = parts.data, getattr(torch, plan.dtype)

    def cast(t: Tensor) -> Tensor:
        return t.to(kind) if t.is_floating_point() else t

    n, last = len(data.train), len(data.train) - plan.batch_size * (plan.steps_per_epoch - 1)
    kinds = {made.key: made for made in reversed(parts.made)}  # of each, the first
    template = initialise(parts.factory, plan.seeds[0]).to(kind)
    layout = Layout.of(template)
    for made, size in itertools.product(reversed(kinds.values()), (plan.batch_size, last)):
        try:
            own = initialise(made.factory, plan.seeds[0]).to(kind)
            x, y = example(made.augment, data.train.x[:size], data.train.y[:size])
            trial(own, Layout.of(own), made.loss, cast(x), cast(y))
        except BadValueError as error:
            if size == plan.batch_size:
                raise
            raise BadValueError(
                f"batch_size: with {n} training samples in batches of {plan.batch_size} the last of an epoch has {last}; {error}"
                "; choose another batch size"
            ) from error
    row, held = layout.row(template).unsqueeze(0), {k: v.unsqueeze(0) for k, v in beside(template).items()}
    with torch.random.fork_rng(devices=[]):
        try:
            float(
                in_units(parts.metric.measure, data)(
                    Solo(template, layout, parts.loss).predict(row, held, cast(data.val.x))[0], cast(data.val.y)
                )
            )
        except Exception as error:
            raise BadValueError(
                f"metric {plan.metric} must give one number for outputs and targets; it raised {error}"
            ) from error
    for rule in plan.rules:
        lane = lane_for(rule, rule.lrs[0], plan.seeds[0], parts.schedule, plan.clip)
        optimizer = lane.optimizer
        if lane.penalty is not None and lane.penalty.thresholds and isinstance(optimizer, Settings):
            must_respond(optimizer)
        if isinstance(optimizer, TorchOptimizer):
            own_parameters = [nn.Parameter(p.detach().clone()) for p in template.parameters() if p.requires_grad]
            try:
                optimizer.cls(own_parameters, **optimizer.arguments)
            except Exception as error:
                raise BadValueError(f"{rule.label} cannot train this model: {error}") from error


def _measurable(metric: str, data: Data) -> None:
    for name, part in (("validation", data.val), ("test", data.test)):
        if metric == "r2" and bool((part.y == part.y[:1]).all()):
            raise BadDataError(
                f"metric 'r2' needs different targets in every part; the {name} part of {data.name} ({len(part)} rows) has one: "
                "take metric='rmse', or more data"
            )


def loss_for(loss: str | Loss | None, data: Data) -> str | Loss:
    """The loss that is asked for, or the task's own; an error where it does not fit the data."""
    if loss is None:
        return "cross_entropy" if data.task == "classification" else "mse"
    lane_loss(loss)
    needs = {"cross_entropy": "classification", "mse": "regression"}
    if isinstance(loss, str) and needs.get(loss, data.task) != data.task:
        raise BadValueError(f"loss {loss!r} is for {needs[loss]}; {data.name} is {data.task}")
    return loss


def prepare_again(plan: Plan, model: Any, data: Any, schedule: Any, loss: Any, metric: Any, augment: Any = None) -> Prepared:
    """The objects of a stored plan, built or handed in again, and checked to be the same."""
    given = {"model": model, "data": data, "schedule": schedule, "loss": loss, "metric": metric, "augment": augment}
    own = {**{k: getattr(plan, k) for k in ("model", "schedule", "loss", "metric")}, "data": plan.data_source.get("source")}
    own["augment"] = None
    said_again = [k for k, v in given.items() if isinstance(v, str) and v == own[k]]
    extra = [k for k, v in given.items() if v is not None and k not in (*plan.callables, *said_again)]
    if extra:
        raise BadValueError(
            f"the plan of this race has its own {', '.join(extra)}; leave out {', '.join(f'{k}=' for k in extra)}"
        )
    missing = [k for k in plan.callables if given[k] is None]
    if missing:
        raise BadValueError(
            f"this race was started from Python with its own {', '.join(missing)}; resume it with "
            f"slalom.resume(directory, {', '.join(f'{k}=...' for k in missing)})"
        )
    record = load(**plan.data_source) if plan.data_source else load(data, **plan.data_options)
    if record.fingerprint != plan.data["fingerprint"]:
        raise BadDataError(
            f"the data {plan.data['name']!r} are not those that the race was started on (fingerprint "
            f"{record.fingerprint[:12]}, then {plan.data['fingerprint'][:12]}); bring the old data back, or start a new race"
        )
    factory = build(plan.model if plan.model is not None else model, record)
    found = resolve_metric(metric if callable(metric) else plan.metric, record)
    schedule_spec = schedule if callable(schedule) else plan.schedule
    factor = _schedule(schedule_spec, plan.total_steps, plan.steps_per_epoch)
    if augment is not None:
        hand_in(augment)
    task_loss = loss if callable(loss) else plan.loss
    made = make([r.variant for r in plan.rules], factory, record, task_loss)
    return Prepared(plan, Parts(factory, record, found, task_loss, factor, made), [])
