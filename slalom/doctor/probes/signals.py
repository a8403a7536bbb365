"""The signals of one batch: each layer's outputs going forward, the loss's gradient with respect to them coming back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from slalom.doctor.setup import LossFn

RELUS = {"relu", "relu_", "relu6"}
SQUASHING = {"sigmoid", "sigmoid_", "tanh", "tanh_", "hardtanh", "hardsigmoid", "softsign"}
SOFT = {"softmax", "log_softmax", "softmin"}
ACTIVATIONS = RELUS | SQUASHING | {
    "leaky_relu", "leaky_relu_", "elu", "elu_", "selu", "celu", "gelu", "silu", "mish", "softplus", "prelu", "hardswish", "rrelu",
    "logsigmoid", "tanhshrink", "sin", "cos", "abs", "square", "exp", "threshold", "clamp", "clamp_min", "glu",
}  # fmt: skip
PASSING = {
    "max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "max_pool3d",
    "adaptive_max_pool1d", "adaptive_max_pool2d", "dropout", "dropout1d", "dropout2d", "batch_norm", "layer_norm", "group_norm",
    "instance_norm", "flatten", "reshape", "view", "squeeze", "unsqueeze", "contiguous", "transpose", "permute", "mean",
    "_max_pool1d", "_max_pool2d",
}  # fmt: skip
RECURRENT = (nn.RNNBase, nn.RNNCellBase)
OFTEN = 5  # calls of one layer in a pass from which it is taken for a recurrence


@dataclass(frozen=True)
class Layer:
    """One layer with weights: `rms` of its outputs, `spread`: what varies from row to row, as a share of it; `delta`: the norm of
    the loss's gradient with respect to its outputs (NaN where none came).
    """

    name: str
    units: int
    rms: float
    spread: float
    delta: float
    calls: int


@dataclass(frozen=True)
class Op:
    """One call of an activation: share of units that are 0 for every row, share of outputs where its slope is nearly 0."""

    name: str
    units: int
    dead: float
    saturated: float
    after: str  # the layer whose output it was given, "" where another's


@dataclass(frozen=True)
class Signals:
    """`layers` in the order of the forward pass; `ops`: activations; `last`: the function that made the outputs, "" where
    it is none
    of those known; `time`: the norm of the gradient with respect to each time step's input, where the model is recurrent; `bare`:
    layers whose outputs reach the next layer through no activation.
    """

    layers: tuple[Layer, ...]
    ops: tuple[Op, ...]
    last: str
    time: tuple[float, ...]
    bare: tuple[str, ...]
    loss: float

    @property
    def back(self) -> float:
        """The gradient at the first layer's outputs over that at the last layer's."""
        deltas = [layer.delta for layer in self.layers if math.isfinite(layer.delta)]
        return deltas[0] / deltas[-1] if len(deltas) > 1 and deltas[-1] > 0 else math.nan

    @property
    def over_time(self) -> float:
        """The gradient at the first of the time steps over that at the last; NaN for what is not recurrent."""
        return self.time[0] / self.time[-1] if len(self.time) > 3 and self.time[-1] > 0 else math.nan

    @property
    def dead(self) -> float:
        """The largest share of dead units of any ReLU."""
        return max((op.dead for op in self.ops if op.name in RELUS), default=0.0)


NOTHING = Signals((), (), "", (), (), math.nan)  # of a model that cannot be looked into


@dataclass
class _Seen:
    squares: float = 0.0
    varying: float = 0.0
    elements: int = 0
    delta: float = 0.0
    reached: bool = False
    units: int = 0
    calls: int = 0


@dataclass
class _Watch(TorchFunctionMode):
    origin: dict[int, str] = field(default_factory=dict)  # where the values in a piece of memory come from
    ops: list[Op] = field(default_factory=list)
    made_by: dict[int, str] = field(default_factory=dict)
    kept: list[Tensor] = field(default_factory=list)  # so that no memory is used twice
    paused: bool = False  # while the hooks measure

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = args[0] if args and isinstance(args[0], Tensor) else None
        before = None if given is None else given.data_ptr()
        out = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if self.paused or given is None or not isinstance(out, Tensor):
            return out
        assert before is not None
        if name in ACTIVATIONS or name in SOFT:
            self.ops.append(_op(name, out.detach(), self.origin.get(before, "")))
            self.made_by[out.data_ptr()] = name.rstrip("_")
            self.origin.pop(out.data_ptr(), None)
            self.kept.append(out)
        elif name in PASSING:
            if before in self.origin:
                self.origin[out.data_ptr()] = self.origin[before]
            if before in self.made_by:
                self.made_by[out.data_ptr()] = self.made_by[before]
            self.kept.append(out)
        return out


def _op(name: str, y: Tensor, after: str) -> Op:
    axis = 1 if y.dim() > 3 else y.dim() - 1
    others = tuple(k for k in range(y.dim()) if k != axis)
    dead = float((y == 0).all(dim=others).double().mean()) if others and name in RELUS else 0.0
    flat = 0.0
    if name.startswith("tanh") or name == "softsign":
        flat = float((y.abs() > 0.9747).double().mean())
    elif name.startswith("sigmoid"):
        flat = float(((y < 0.0127) | (y > 0.9873)).double().mean())
    return Op(name.rstrip("_"), int(y.shape[axis]) if y.dim() else 1, dead, flat, after)


def signals(model: nn.Module, loss_fn: LossFn, x: Tensor, y: Tensor, *, training: bool = False) -> Signals:
    """One pass forward and back, by default in evaluation mode; the model's gradients, modes and buffers are left as they were.

    `x`, `y`: a batch. Raises what the model or the loss raises.
    """
    modes = [(m, m.training) for m in model.modules()]
    grads = [p.grad for p in model.parameters()]
    buffers = [b.detach().clone() for b in model.buffers()]
    model.train(training)
    watch = _Watch()
    seen: dict[str, _Seen] = {}
    inputs: dict[str, Tensor] = {}
    handles = [
        m.register_forward_hook(_hook(name, seen, watch, inputs)) for name, m in model.named_modules() if _weighted(m)
    ]  # fmt: skip
    recurrent = any(isinstance(m, RECURRENT) for m in model.modules())
    with torch.enable_grad():
        try:
            fed = x.detach().clone().requires_grad_() if x.is_floating_point() else x
            watch.kept.append(fed)
            with watch:
                outputs = model(fed * 1 if fed.is_floating_point() else fed)  # a model may change its input in place
            profile = [t for t in (fed, *inputs.values()) if t.requires_grad and t.dim() == 3]
            loss = loss_fn(outputs, y)
            times: dict[int, Tensor] = {}
            for k, tensor in enumerate(profile):
                tensor.register_hook(partial(_kept, times, k))  # type: ignore[no-untyped-call]
            if loss.requires_grad and bool(torch.isfinite(loss)):
                loss.backward()  # type: ignore[no-untyped-call]
        finally:
            for handle in handles:
                handle.remove()
            for p, g in zip(model.parameters(), grads, strict=True):
                p.grad = g
            with torch.no_grad():
                for b, old in zip(model.buffers(), buffers, strict=True):
                    b.copy_(old)
            for module, mode in modes:
                module.training = mode
    again = max((s.calls for s in seen.values()), default=0) >= OFTEN
    time = _over_time(times[min(times)]) if times and (recurrent or again) else ()
    layers = tuple(
        Layer(
            name, s.units, (s.squares / max(s.elements, 1)) ** 0.5, (s.varying / s.squares) ** 0.5 if s.squares > 0 else 0.0,
            s.delta**0.5 if s.reached else math.nan, s.calls,
        )
        for name, s in seen.items()
    )  # fmt: skip
    last = watch.made_by.get(outputs.data_ptr(), "") if isinstance(outputs, Tensor) else ""
    bare = tuple(dict.fromkeys(watch.origin[id_] for id_ in _fed_bare(inputs, watch)))
    return Signals(layers, tuple(watch.ops), last, time, bare, float(loss.detach()))


def _kept(times: dict[int, Tensor], k: int, g: Tensor) -> None:
    times[k] = g.detach()


def _fed_bare(inputs: dict[str, Tensor], watch: _Watch) -> list[int]:
    return [t.data_ptr() for t in inputs.values() if t.data_ptr() in watch.origin]


def _weighted(module: nn.Module) -> bool:
    return any(p.dim() > 1 for p in module.parameters(recurse=False))


def _hook(name: str, seen: dict[str, _Seen], watch: _Watch, inputs: dict[str, Tensor]) -> Any:
    def look(module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        out = output[0] if isinstance(output, tuple | list) else output
        if not isinstance(out, Tensor) or not out.is_floating_point():
            return
        here = seen.setdefault(name, _Seen())
        here.calls += 1
        watch.paused = True
        with torch.no_grad():
            flat = out.detach().double().reshape(len(out), -1) if out.dim() else out.detach().double().reshape(1, 1)
            here.squares += float(flat.square().sum())
            here.varying += float((flat - flat.mean(0)).square().sum())
            here.elements += flat.numel()
            here.units = int(out.shape[1] if out.dim() > 3 else out.shape[-1]) if out.dim() else 1
        watch.paused = False
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            if given and isinstance(given[0], Tensor) and here.calls == 1:
                inputs[name] = given[0]
            watch.origin[out.data_ptr()] = name
            watch.kept.append(out)
        elif isinstance(module, nn.Embedding):
            inputs[name] = out
        if out.requires_grad:

            def came(g: Tensor) -> None:
                here.delta += float(g.detach().double().square().sum())
                here.reached = True

            out.register_hook(came)  # type: ignore[no-untyped-call]

    return look


def _over_time(g: Tensor) -> tuple[float, ...]:
    """The gradient's norm at each step of `[rows, time, features]`."""
    return tuple(float(v) for v in g.double().square().sum((0, 2)).sqrt())


def affine(model: nn.Module, x: Tensor) -> float:
    """How far a model is from an affine map of its inputs: |f(a + b - c) - f(a) - f(b) + f(c)| over the outputs' spread.

    0 up to rounding for a stack of linear layers, however deep; NaN for whole-number inputs.
    """
    if not x.is_floating_point() or len(x) < 6:
        return math.nan
    from slalom.doctor.run.skill import outputs_of

    third = len(x) // 3
    a, b, c = x[:third], x[third : 2 * third], x[2 * third : 3 * third]
    outs = [outputs_of(model, z) for z in (a, b, c, a + b - c)]
    if not all(isinstance(o, Tensor) and o.is_floating_point() for o in outs):
        return math.nan
    fa, fb, fc, fd = (o.double() for o in outs)
    spread = float(torch.cat([fa, fb, fc]).std(0).norm())
    size = float(fa.abs().mean()) * 1e-6
    off = float((fd - fa - fb + fc).square().mean(0).sqrt().norm())
    return off / (spread + size) if np.isfinite(off) and spread + size > 0 else math.nan
