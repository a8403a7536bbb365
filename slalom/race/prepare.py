"""From the arguments of `slalom.race` to a checked plan and the objects that it names."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from slalom.core.errors import BadDataError, BadValueError
from slalom.data import load
from slalom.data.record import Data
from slalom.engines.lanes.layout import Layout, initialise
from slalom.engines.lanes.losses import Loss, lane_loss
from slalom.nets import build
from slalom.race.entrants import entrants
from slalom.race.grid import grids
from slalom.race.metrics import resolve_metric
from slalom.race.plan import Plan, PlannedRule, make_plan
from slalom.race.runner import Parts
from slalom.schedules import resolve

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
    made = list(seeds) if isinstance(seeds, Sequence) and not isinstance(seeds, str) else [seeds]
    for seed in made:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
            raise BadValueError(f"seeds must be whole numbers in [0, 2**32), got {seed!r}")
    if not made or len(set(made)) != len(made):
        raise BadValueError(f"seeds must be named once each, at least one; got {made}")
    return [int(seed) for seed in made]


def _batch_size(batch_size: int | str, n: int) -> int:
    if batch_size == "full":
        return n
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise BadValueError(f"batch_size must be a whole number >= 1 or 'full', got {batch_size!r}")
    return min(batch_size, n)


def _schedule(spec: Any, plan_steps: int, per_epoch: int) -> Callable[[int], float] | None:
    return None if spec is None else resolve(spec, plan_steps, per_epoch)


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
    **plain: Any,
) -> Prepared:
    """See `slalom.race`."""
    chosen = entrants(rules)
    if isinstance(lrs, int | float) and not isinstance(lrs, bool):
        lrs = [lrs]
    rates = grids(chosen, lrs)
    numbers = seed_list(seeds)
    record: Data = load(data, **data_options)
    factory = build(model, record)
    found = resolve_metric(metric, record)
    task_loss = ("cross_entropy" if record.task == "classification" else "mse") if loss is None else loss
    lane_loss(task_loss)
    _fits(task_loss, record)
    size = _batch_size(batch_size, len(record.train))
    lanes = sum(len(r) for r in rates.values()) * len(numbers)
    callables = [k for k, v in (("schedule", schedule), ("loss", loss), ("metric", metric)) if callable(v)]
    callables += ["model"] * (factory.spec is None) + ["data"] * (not record.source)
    plan = make_plan(
        model=factory.spec,
        model_name=factory.name,
        model_note=factory.note,
        data=record.describe(),
        data_source=record.source,
        data_options=data_options,
        rules=[PlannedRule(label=e.label, target=e.target, hypers=dict(e.hypers), lrs=rates[e.label]) for e in chosen],
        seeds=numbers,
        batch_size=size,
        schedule=None if schedule is None else _text(schedule, ""),
        loss=_text(task_loss, ""),
        metric=found.name,
        higher_is_better=found.higher_is_better,
        counts=found.counts,
        widen=lrs is None if widen is None else widen,
        threads=torch.get_num_threads(),
        heat_lanes=heat_limit(factory, getattr(torch, str(plain["dtype"]), torch.float32)),
        callables=callables,
        **plain,
    )
    notes = list(record.notes) + ([factory.note] if factory.note else [])
    if isinstance(batch_size, int) and batch_size > size:
        notes.append(f"batch size {batch_size} is larger than the training part; it is {size}, the full batch")
    if lanes > plan.heat_lanes:
        notes.append(f"{lanes} lanes are trained {plan.heat_lanes} at a time, to stay within a quarter of this machine's memory")
    if len(numbers) < 3:
        notes.append(f"seeds: {len(numbers)}; too few to tell close rules apart, 3 or more are better")
    parts = Parts(factory, record, found, task_loss, _schedule(schedule, plan.total_steps, plan.steps_per_epoch))
    return Prepared(plan, parts, notes)


def _fits(loss: str | Loss, data: Data) -> None:
    needs = {"cross_entropy": "classification", "mse": "regression"}
    if isinstance(loss, str) and needs.get(loss, data.task) != data.task:
        raise BadValueError(f"loss {loss!r} is for {needs[loss]}; {data.name} is {data.task}")


def prepare_again(plan: Plan, model: Any, data: Any, schedule: Any, loss: Any, metric: Any) -> Prepared:
    """The objects of a stored plan, built or handed in again, and checked to be the same."""
    given = {"model": model, "data": data, "schedule": schedule, "loss": loss, "metric": metric}
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
    return Prepared(plan, Parts(factory, record, found, loss if callable(loss) else plan.loss, factor), [])
