"""The weights as they are at the start, against those that the layers' own initialisation would draw."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Start:
    """A parameter at the start: its root mean square over that of a fresh draw; `alike`: all of its units are equal."""

    name: str
    ratio: float
    alike: bool
    matrix: bool
    mean: float


def reset(model: nn.Module, seed: int = 0) -> nn.Module:
    """A copy whose modules have drawn their parameters anew by their own `reset_parameters`; needs the random state kept."""
    made = copy.deepcopy(model)
    torch.manual_seed(seed)
    for module in made.modules():
        draw = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
        if callable(draw):
            draw()
    return made


def starts(model: nn.Module, fresh: nn.Module) -> tuple[Start, ...]:
    """Every parameter of layers with weights, beside its fresh draw (`reset`); norms' scales and shifts are left out."""
    drawn = dict(fresh.named_parameters())
    made = []
    for prefix, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if not any(p.dim() > 1 for p in own.values()):
            continue
        for name, p in own.items():
            full = f"{prefix}.{name}" if prefix else name
            a, b = _rms(p), _rms(drawn[full])
            rows = p.detach().reshape(len(p), -1) if p.dim() else p.detach().reshape(1, 1)
            alike = len(rows) > 1 and p.dim() > 1 and bool((rows == rows[:1]).all())
            ratio = a / b if b > 0 else (math.inf if a > 0 else 1.0)
            made.append(Start(full, ratio, alike, p.dim() > 1, float(p.detach().double().mean())))
    return tuple(made)


def _rms(p: torch.Tensor) -> float:
    return float(p.detach().double().square().mean().sqrt())
