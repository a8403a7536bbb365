"""A module's own forward over stacked lanes, as a graph of plain operations on `[lanes, ...]` tensors.

torch.vmap lets the forward see one lane, whatever it does with shapes, at the price of a slow trip through Python for every
operation at every step. Traced once, the operations it comes down to are called directly, and autograd sees those.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.func import functional_call, vmap

from slalom.engines.lanes.mechanism import Buffers
from slalom.engines.lanes.stack import attention, encoder, linear, norm, recurrent
from slalom.engines.lanes.stack.forms import FORMS, LaneForms, whole_layers
from slalom.engines.lanes.stack.recorder import Recorder, WritesError
from slalom.engines.lanes.stack.watch import Watch

FAMILIES = (attention, encoder, linear, norm, recurrent)  # imported for the forms they register
assert FORMS


class Untraceable(Exception):
    """The forward cannot be kept as a graph; the message says why."""


@dataclass(frozen=True)
class Program:
    """A recorded forward: called with parameters, buffers, inputs and keys, all over lanes; outputs, and buffers afterwards."""

    graph: fx.GraphModule
    params: list[str]
    buffers: list[str]

    def __call__(self, params: Buffers, buffers: Buffers, x: Tensor, keys: Tensor) -> tuple[Tensor, Buffers]:
        outputs, *after = self.graph(*(params[k] for k in self.params), *(buffers[k] for k in self.buffers), x, keys)
        return outputs, dict(zip(self.buffers, after, strict=True))


def forward_over_lanes(
    module: nn.Module, params: Buffers, buffers: Buffers, x: Tensor, keys: Tensor, used: Callable[[Any], None]
) -> tuple[Tensor, Buffers]:
    """The module's forward, every tensor with a leading lane axis: outputs, and buffers afterwards."""

    def one(params: Buffers, buffers: Buffers, x: Tensor, key: Tensor) -> tuple[Tensor, Buffers]:
        state = {**params, **{k: v.clone() for k, v in buffers.items()}}
        with LaneForms(key, used) as lanes, whole_layers(module, lanes):
            outputs = functional_call(module, state, (x,))
        return outputs, {k: state[k] for k in buffers}

    made: tuple[Tensor, Buffers] = vmap(one)(params, buffers, x, keys)
    return made


def trace(module: nn.Module, params: Buffers, buffers: Buffers, x: Tensor, keys: Tensor) -> tuple[Program, list[str]]:
    """The forward as a `Program`, and a line on each kind of layer. Untraceable where there is none."""
    watch = Watch(module)
    before = _python_state(module)
    draws = _generators()
    inputs = [*params.values(), *buffers.values(), x, keys]
    for copied in (False, True):  # a batch that lanes share is copied for each only for a model that writes into it
        with torch.no_grad(), watch, Recorder(inputs, x) as recorder:
            try:
                outputs, after = forward_over_lanes(module, params, buffers, x.clone() if copied else x, keys, watch.used)
            except WritesError:
                continue
        break
    if not isinstance(outputs, Tensor):
        raise Untraceable(f"it returns a {type(outputs).__name__}, not a tensor")
    if draws != _generators():
        raise Untraceable("it draws random numbers that are not a lane's own")
    changed = sorted({name for name, value in _python_state(module).items() if before.get(name) != value})
    if changed:
        raise Untraceable(f"its forward changes {changed[0]}, which is not a tensor of the module")
    return Program(recorder.program([outputs, *after.values()]), list(params), list(buffers)), watch.lines()


def _generators() -> tuple[Any, ...]:
    """The state of every generator that a forward may draw from unseen."""
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    torchs = [state.numpy().tobytes() for state in (torch.get_rng_state(), *devices)]
    return repr(random.getstate()), repr(np.random.get_state()), *torchs  # noqa: NPY002


def _python_state(module: nn.Module) -> dict[str, str]:
    """Plain values that a forward may count in or switch by."""
    plain = (bool, int, float, complex, str, bytes, list, tuple, dict, set)
    return {
        f"{type(part).__name__}.{key}": repr(value)
        for part in module.modules()
        for key, value in vars(part).items()
        if isinstance(value, plain) and not key.startswith("_") and key != "training"
    }


def why_untraceable(module: nn.Module) -> str | None:
    """What is seen without running it: hooks do things beside the numbers, which a graph would not repeat."""
    for part in module.modules():
        if part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks:
            return f"{type(part).__name__} has hooks"
    return None
