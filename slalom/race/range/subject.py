"""From a model, data and an optimizer in any of their forms to a subject that runs can be started on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

import slalom.optim
from slalom.core.errors import BadValueError
from slalom.data import load
from slalom.engines.lanes import TorchOptimizer
from slalom.engines.lanes.layout import as_factory, initialise
from slalom.engines.lanes.losses import Loss, lane_loss
from slalom.engines.signature import arguments
from slalom.nets import build
from slalom.optim import RuleOptimizer, optimizer_class
from slalom.race.entrants import Entrant, entrant
from slalom.race.prepare import batch_rows, loss_for
from slalom.race.range.copies import CopiesSubject, Step, group_shares
from slalom.race.range.heats import Subject
from slalom.race.range.stacked import StackedSubject
from slalom.race.range.stream import Loader, Rows, Stream, pair

STACKABLE = (torch.float32, torch.float64)


@dataclass(frozen=True)
class _Fed:
    """Data made ready: batches, the loss they suggest, what accuracy is measured on, a checked factory or a module."""

    stream: Stream
    loss: str | Loss | None
    held: Any
    model: nn.Module | Callable[[], nn.Module]
    classes: bool
    notes: list[str]


def subject(
    model: Any, data: Any, optimizer: Any, *, step: Step | None, loss: Any, batch_size: Any, clip: float | None,
    data_options: Mapping[str, Any],
) -> tuple[Subject, bool]:  # fmt: skip
    """The subject, and whether its data are classes. Errors say what is accepted."""
    if step is not None and not callable(step):
        raise BadValueError(f"step must be a callable(model, optimizer, batch) that returns the loss, got {step!r}")
    if step is not None and (loss is not None or clip is not None):
        raise BadValueError("step= computes its own loss and clips itself; leave out loss= and clip=")
    if clip is not None and not (isinstance(clip, int | float) and clip > 0):
        raise BadValueError(f"clip must be a gradient norm > 0 or None, got {clip!r}")
    if isinstance(optimizer, torch.optim.Optimizer):
        _owns(optimizer, model)
        group_shares(optimizer)
    chosen = optimizer if isinstance(optimizer, torch.optim.Optimizer) else entrant(optimizer)
    fed = _from_loader(model, data, batch_size, step, loss, data_options) if isinstance(data, DataLoader) else _from_data(
        model, data, batch_size, loss, data_options
    )  # fmt: skip
    first = fed.model if isinstance(fed.model, nn.Module) else initialise(fed.model, 0)
    odd = next((p for p in first.parameters() if p.device.type != "cpu" or p.dtype not in STACKABLE), None)
    notes = list(fed.notes)
    if isinstance(chosen, Entrant) and step is None and odd is None:
        dtype = next(first.parameters()).dtype
        assert fed.loss is not None
        factory = as_factory(copy.deepcopy(fed.model)) if isinstance(fed.model, nn.Module) else fed.model
        return StackedSubject(factory, chosen, fed.stream, fed.loss, dtype, clip, fed.held, notes), fed.classes
    why = "the optimizer is an object" if isinstance(chosen, torch.optim.Optimizer) else "step is your own"
    if odd is not None and isinstance(chosen, Entrant) and step is None:
        why = f"the model has {odd.dtype} parameters on {odd.device}"
    notes.append(f"runs are trained one after another, not side by side: {why}")
    if isinstance(chosen, torch.optim.Optimizer):
        rates = [float(group["lr"]) for group in chosen.param_groups]
        if len(set(rates)) > 1:
            notes.append("the rates are those of the parameter group with the largest; the others keep their ratios to it")
        return CopiesSubject(
            type(chosen).__name__, fed.model, chosen, fed.stream, fed.loss, step, clip, max(rates), notes
        ), fed.classes  # fmt: skip
    made = CopiesSubject(
        chosen.label, fed.model, _builder(chosen), fed.stream, fed.loss, step, clip, chosen.default_lr, notes
    )  # fmt: skip
    return made, fed.classes


def _owns(optimizer: torch.optim.Optimizer, model: Any) -> None:
    if not isinstance(model, nn.Module):
        raise BadValueError(
            f"optimizer is a {type(optimizer).__name__} object, which steps one module's parameters; give that nn.Module as "
            f"model, got {type(model).__name__}"
        )
    own = {id(p) for p in model.parameters()}
    if not all(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise BadValueError(
            f"optimizer is a {type(optimizer).__name__} on parameters that the model does not have; make it from this "
            "model's parameters, or give its class"
        )


def _builder(chosen: Entrant) -> Callable[[nn.Module], torch.optim.Optimizer]:
    settings = chosen.optimizer(1e-3)
    if isinstance(settings, TorchOptimizer):
        return lambda module: settings.cls([p for p in module.parameters() if p.requires_grad], **settings.arguments)
    by_rule = {c.rule: c for c in vars(slalom.optim).values() if isinstance(c, type) and hasattr(c, "rule")}
    cls: type[RuleOptimizer] = by_rule.get(settings.rule) or optimizer_class(settings.rule)
    known = {**settings.values, **settings.options}
    given: dict[str, Any] = {}
    for argument in arguments(settings.rule):
        values = tuple(known[name] for name in argument.names)
        if values:
            given[argument.name] = values if argument.is_tuple else values[0]
        elif argument.is_option:
            given[argument.name] = known[argument.name]
    return lambda module: cls([p for p in module.parameters() if p.requires_grad], **given)


def _from_data(model: Any, data: Any, batch_size: Any, loss: Any, options: Mapping[str, Any]) -> _Fed:
    record = load("digits" if data is None else data, **{{"split_seed": "seed"}.get(k, k): v for k, v in options.items()})
    factory = build(model, record)
    task_loss = loss_for(loss, record)
    size = batch_rows(64 if batch_size is None else batch_size, len(record.train))
    notes = [*record.notes, *([factory.note] if factory.note else [])]
    own = model if isinstance(model, nn.Module) else factory
    return _Fed(
        Rows(record.train, size), task_loss, (record.val.x, record.val.y), own, record.task == "classification", notes
    )  # fmt: skip


def _from_loader(model: Any, loader: DataLoader[Any], batch_size: Any, step: Any, loss: Any, options: Mapping[str, Any]) -> _Fed:
    given = [k for k, v in {"batch_size": batch_size, **options}.items() if v is not None]
    if given:
        raise BadValueError(f"a DataLoader has its own batches; leave out {', '.join(given)}")
    if isinstance(model, str) or model is None:
        raise BadValueError(f"with a DataLoader give the nn.Module itself, or a function that returns one; got model={model!r}")
    module = model if isinstance(model, nn.Module) else initialise(as_factory(model), 0)
    if not any(p.requires_grad for p in module.parameters()):
        raise BadValueError("the model has no parameter that requires a gradient; nothing to train")
    stream = Loader(loader)
    notes = ["batches are the DataLoader's, kept in memory for the length of the test"]
    if step is not None:
        return _Fed(stream, None, None, model, False, notes)
    y = pair(stream.batch(0, 0))[1]
    if loss is None:
        loss = "mse" if y.is_floating_point() else "cross_entropy"
    lane_loss(loss)
    return _Fed(stream, loss, None, model, not y.is_floating_point(), notes)
