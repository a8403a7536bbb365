"""Looking into a network while it trains: dead units, saturation, means, gradients and updates, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any

import torch
from torch import nn

from slalom.core.checks import nn_module, whole
from slalom.nets.activations import ACTIVATIONS, Maxout
from slalom.nets.activations.layers import still

FLAT = 0.05  # a slope below this share of the steepest counts as saturated
EDGE, POINTS = 20.0, 4001
_KNOWN: tuple[type[nn.Module], ...] = tuple({type(entry.make()) for entry in ACTIVATIONS.values()} - {nn.Identity})


@dataclass(frozen=True)
class UnitStats:
    """An activation's outputs since the last reset.

    `dead`: the share of units that were 0 for every sample; `saturated`: of inputs where the slope is below 5 % of its largest;
    `off`: of outputs that are 0; `mean` and `std` of the outputs.
    """

    dead: float
    saturated: float
    mean: float
    std: float
    off: float
    samples: int


@dataclass(frozen=True)
class WeightStats:
    """A parameter at the last step: norms of weight and gradient, and the norm of the update relative to the weight's."""

    weight: float
    gradient: float
    update_ratio: float


@dataclass
class _Seen:
    units: torch.Tensor | None = None  # per unit: was it ever not 0
    total: float = 0.0
    squares: float = 0.0
    zeros: float = 0.0
    flat: float = 0.0
    elements: int = 0
    samples: int = 0
    limits: tuple[float, float] | None = field(default=None)


class Monitor:
    """Watches a model by hooks, until `close` or the end of a `with` block; cheap, and gone without a trace.

    `model`: any module; its activation modules (those of the catalogue, and `extra` classes) are watched, functions such as
    `F.relu` are not seen. `every`: only each n-th training pass is measured. Read `units()` (by activation module) and, after
    `backward`, `gradients()` or, around an optimizer's step, `updates()`. Nothing is changed in the model.

    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> with Monitor(net) as monitor:
    ...     _ = net(torch.ones(5, 2))
    >>> monitor.units()["1"].samples
    5
    """

    def __init__(self, model: nn.Module, *, every: int = 1, extra: tuple[type[nn.Module], ...] = ()) -> None:
        self.model = nn_module(model, "Monitor: model")
        whole(every, "Monitor: every", 1)
        self.every = every
        self._seen: dict[str, _Seen] = {}
        self._before: dict[str, torch.Tensor] = {}
        self._calls: dict[str, int] = {}
        self._handles: list[Any] = []
        for name, module in model.named_modules():
            watched: tuple[type[nn.Module], ...] = (*_KNOWN, Maxout, *extra)
            if isinstance(module, watched):
                self._seen[name] = _Seen(limits=saturation_limits(module))
                self._calls[name] = 0
                self._handles.append(module.register_forward_hook(partial(self._look, name)))

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Removes the hooks; what was seen stays readable."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def reset(self) -> None:
        """Forgets what was seen, as at the start of a pass over the data."""
        self._seen = {name: _Seen(limits=seen.limits) for name, seen in self._seen.items()}

    def units(self) -> dict[str, UnitStats]:
        """By the activation module's name, for those that ran since the last reset."""
        return {name: _stats(seen) for name, seen in self._seen.items() if seen.elements}

    def gradients(self) -> dict[str, float]:
        """The norm of each parameter's gradient as it stands, by name; parameters without one are left out."""
        return {n: float(p.grad.detach().double().norm()) for n, p in self.model.named_parameters() if p.grad is not None}

    def before_step(self) -> None:
        """Notes the weights as they are, for `updates`."""
        self._before = {n: p.detach().clone() for n, p in self.model.named_parameters() if p.requires_grad}

    def updates(self) -> dict[str, WeightStats]:
        """Since `before_step`: around .001 is usual for a healthy layer; far below it hardly learns, far above it jumps about."""
        made = {}
        for name, p in self.model.named_parameters():
            if name not in self._before:
                continue
            old = self._before[name]
            weight, change = float(old.double().norm()), float((p.detach() - old).double().norm())
            gradient = 0.0 if p.grad is None else float(p.grad.detach().double().norm())
            made[name] = WeightStats(weight, gradient, change / weight if weight else float("inf") if change else 0.0)
        return made

    def _look(self, name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self._calls[name] += 1
        if (self._calls[name] - 1) % self.every or not isinstance(output, torch.Tensor):
            return
        seen = self._seen[name]
        with torch.no_grad():
            y = output.detach()
            live = y != 0
            # Units are the channels of images [batch, channel, ...] and the last axis of anything else.
            axes = tuple(k for k in range(y.dim()) if k != (1 if y.dim() > 3 else y.dim() - 1))
            alive = live.any(axes) if axes else live
            if seen.units is None or seen.units.shape != alive.shape:
                seen.units = alive
            else:
                seen.units = seen.units | alive
            seen.total += float(y.sum(dtype=torch.float64))
            seen.squares += float(y.double().square().sum())
            seen.zeros += float((~live).sum())
            if seen.limits is not None and inputs:
                low, high = seen.limits
                seen.flat += float(((inputs[0] < low) | (inputs[0] > high)).sum())
            seen.elements += y.numel()
            seen.samples += y.shape[0] if y.dim() else 1


def _stats(seen: _Seen) -> UnitStats:
    n = seen.elements
    mean = seen.total / n
    dead = float((~seen.units).double().mean()) if seen.units is not None else 0.0
    return UnitStats(dead, seen.flat / n, mean, max(seen.squares / n - mean * mean, 0.0) ** 0.5, seen.zeros / n, seen.samples)


def saturation_limits(module: nn.Module) -> tuple[float, float] | None:
    """The inputs between which an elementwise activation has at least 5 % of its largest slope; None for what is not elementwise.

    >>> low, high = saturation_limits(nn.Sigmoid())
    >>> round(low, 1), round(high, 1)
    (-4.3, 4.3)
    """
    if isinstance(module, Maxout):
        return None
    made = still(module)
    if isinstance(made, nn.PReLU) and made.weight.numel() > 1:
        return (-float("inf"), float("inf"))
    function: Callable[[torch.Tensor], torch.Tensor] = made
    x = torch.linspace(-EDGE, EDGE, POINTS, dtype=torch.float64).requires_grad_()
    with torch.enable_grad():
        slope = torch.autograd.grad(function(x).sum(), x)[0].abs()
    steep = (slope >= FLAT * slope.max()).nonzero().flatten()
    low, high = int(steep[0]), int(steep[-1])
    at = x.detach()
    return (-float("inf") if low == 0 else float(at[low]), float("inf") if high == POINTS - 1 else float(at[high]))
