"""The order in which a model's layers run on a few rows, and which layer's output each one reads."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from slalom.core.errors import SlalomError
from slalom.doctor.setup import Setup
from slalom.nets.kinds import CONVOLUTIONS

ROWS = 64
DENSE = (nn.Linear, *CONVOLUTIONS)
RECURRENT = (nn.RNN, nn.GRU, nn.LSTM)


@dataclass(frozen=True)
class Call:
    """One run of a leaf module: its name, its input and output (first tensors), and the call whose output it reads, if any."""

    name: str
    module: nn.Module
    given: Tensor | None
    made: Tensor | None
    reads: int | None


@dataclass(frozen=True)
class Trace:
    """`calls` in order; `output` of the whole model; `last`: the call whose output is the model's own, if there is one."""

    calls: tuple[Call, ...]
    output: Any
    last: int | None

    def chain(self) -> list[Call]:
        """The calls from the last one back to the input, each reading the one before, first to last."""
        found: list[Call] = []
        k = self.last
        while k is not None:
            found.append(self.calls[k])
            k = self.calls[k].reads
        return found[::-1]


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor in what a module takes or returns: a tensor, or a tuple, list or dict of them."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return next((t for v in value if (t := first_tensor(v)) is not None), None)
    return None


def rows_of(setup: Setup, count: int = ROWS) -> tuple[Tensor, Tensor]:
    """The first training rows whose numbers are all finite."""
    from slalom.doctor.fixes.rows import finite_rows

    good = finite_rows(*setup.train).nonzero().flatten()[:count]
    return setup.train[0][good], setup.train[1][good]


def traced(setup: Setup, model: nn.Module | None = None) -> Trace:
    """Runs a copy of the model on a few rows in evaluation mode; nothing of the set-up is changed."""
    x, _ = rows_of(setup)
    if not len(x):
        raise SlalomError("no training row has finite numbers alone, so the model cannot be looked at")
    own = copy.deepcopy(setup.model if model is None else model).eval()
    calls: list[Call] = []
    handles = [m.register_forward_hook(partial(_note, calls, n)) for n, m in own.named_modules() if _is_leaf(m)]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            output = own(x)
    finally:
        for handle in handles:
            handle.remove()
    out = first_tensor(output)
    last = None if out is None else _maker(calls, out)
    return Trace(tuple(calls), output, last)


def _is_leaf(module: nn.Module) -> bool:
    return not list(module.children()) or isinstance(module, (*RECURRENT, nn.MultiheadAttention))


def _note(calls: list[Call], name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
    given = first_tensor(inputs)
    calls.append(Call(name, module, given, first_tensor(output), None if given is None else _maker(calls, given)))


def _maker(calls: list[Call], tensor: Tensor) -> int | None:
    """The latest call that made this tensor: the same memory (views of it count, since layers leave no copy)."""
    place = tensor.untyped_storage().data_ptr()
    for k in range(len(calls) - 1, -1, -1):
        made = calls[k].made
        if made is not None and made.untyped_storage().data_ptr() == place:
            return k
    return None
