"""A model that is too small: hidden layers made wider, or one put in."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.fixes.surgery import like, replaced, started_anew
from slalom.doctor.fixes.trace import DENSE, RECURRENT, Call, Trace, traced
from slalom.doctor.setup import Setup

LEAST, MOST, TIMES = 32, 512, 8


def _sizes(module: nn.Module) -> tuple[int, int]:
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    if isinstance(module, RECURRENT):
        return module.input_size, module.hidden_size * (2 if module.bidirectional else 1)
    assert isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    return module.in_channels, module.out_channels


def _rebuilt(module: nn.Module, inputs: int, outputs: int) -> nn.Module:
    """A layer of the same kind with other sizes; norms take `outputs`."""
    if isinstance(module, nn.Linear):
        return nn.Linear(inputs, outputs, module.bias is not None)
    if isinstance(module, RECURRENT):
        more = {"nonlinearity": module.nonlinearity} if isinstance(module, nn.RNN) else {}
        return type(module)(
            inputs, outputs // (2 if module.bidirectional else 1), module.num_layers, bias=module.bias,
            batch_first=module.batch_first, dropout=module.dropout, bidirectional=module.bidirectional, **more,
        )  # fmt: skip
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        conv: Any = type(module)  # the sizes of one kind fit that kind
        made: nn.Module = conv(
            inputs, outputs, module.kernel_size, module.stride, module.padding, module.dilation, 1, module.bias is not None,
            module.padding_mode,
        )  # fmt: skip
        return made
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        return type(module)(outputs)
    if isinstance(module, nn.LayerNorm):
        return nn.LayerNorm(outputs)
    assert isinstance(module, nn.GroupNorm)
    return nn.GroupNorm(module.num_groups, outputs)


NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm)


def _wide(width: int) -> int:
    return max(min(max(TIMES * width, LEAST), MOST), width)


def _layers(trace: Trace) -> list[Call] | None:
    """The layers with weights, first to last, where each reads the one before it and runs once; None for any other model."""
    calls = [c for c in trace.calls if isinstance(c.module, (*DENSE, *RECURRENT, *NORMS))]
    others = [c for c in trace.calls if not isinstance(c.module, (*DENSE, *RECURRENT, *NORMS)) and list(c.module.parameters())]
    if others or len({c.name for c in calls}) < len(calls) or not calls:
        return None
    if any(isinstance(c.module, nn.Conv1d | nn.Conv2d | nn.Conv3d) and c.module.groups > 1 for c in calls):
        return None
    return calls


def _widened(setup: Setup) -> Change | None:
    trace = traced(setup)
    calls = _layers(trace)
    if calls is None:
        return None
    sized = [c for c in calls if not isinstance(c.module, NORMS)]
    if len(sized) < 2:
        return None
    model, put, said = setup.fresh(), {}, []
    width, wide = _sizes(sized[0].module)[0], _sizes(sized[0].module)[0]
    for call in calls:
        if isinstance(call.module, NORMS):
            put[call.name] = _rebuilt(call.module, 0, wide)
            continue
        inputs, outputs = _sizes(call.module)
        if width == 0 or inputs % width:
            return None  # it does not read the layer before, whole
        new = outputs if call is sized[-1] else _wide(outputs)
        put[call.name] = _rebuilt(call.module, inputs // width * wide, new)
        said += [] if call is sized[-1] else [f"{outputs} to {new}"]
        width, wide = outputs, new
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setup.seed)
        model = replaced(model, {name: like(module, model) for name, module in put.items()})
    model = started_anew(setup, model)
    made = setup.changed(model=model)
    traced(made)  # it runs, or the error says why not
    return Change(made, f"hidden layers wider: {', '.join(said)} units", f"widths {', '.join(said)}")


def _deepened(setup: Setup) -> Change | None:
    """A hidden layer where there is none."""
    trace = traced(setup)
    dense = [c for c in trace.calls if isinstance(c.module, nn.Linear)]
    if len(dense) != 1 or any(isinstance(c.module, (*RECURRENT, nn.Conv1d, nn.Conv2d)) for c in trace.calls):
        return None
    layer = dense[0].module
    assert isinstance(layer, nn.Linear)
    model, width = setup.fresh(), _wide(layer.in_features)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setup.seed)
        hidden = nn.Sequential(
            nn.Linear(layer.in_features, width), nn.ReLU(), nn.Linear(width, layer.out_features, layer.bias is not None)
        )
        model = replaced(model, {dense[0].name: like(hidden, model)})
    return Change(
        setup.changed(model=started_anew(setup, model)), f"a hidden layer of {width} ReLU units put in",
        f"nn.Sequential(nn.Linear({layer.in_features}, {width}), nn.ReLU(), nn.Linear({width}, {layer.out_features}))",
    )  # fmt: skip


register(
    "model_too_small", Fix("wider", "wider hidden layers", _widened), Fix("a hidden layer", "put a hidden layer in", _deepened)
)
