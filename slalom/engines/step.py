"""The eager step: the rule itself, one parameter after another, in torch operations.

It serves whatever compiled code (`slalom.engines.fused`) does not, and is what that is tested against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from slalom.core.rule import Settings
from slalom.engines.state import state_key, values_of


class Job(NamedTuple):
    """A parameter, its gradient (only read), and its state, whole, with its count of steps taken under "step"."""

    p: torch.Tensor
    g: torch.Tensor
    state: dict[str, torch.Tensor]


def update(settings: Settings, values: Mapping[str, Any], jobs: Sequence[Job], *, maximize: bool, differentiable: bool) -> None:
    """Steps every job in place under the same settings; `values` are its hypers, some perhaps tensors."""
    for job in jobs:
        p, g = (_real(x) for x in (job.p, job.g))
        if differentiable:
            p = p.clone()  # autograd may keep p for the backward pass, and job.p is about to change
        s = values_of(settings.rule, job.state)
        t = int(job.state["step"].item()) + 1
        new_p, new_s = settings.step(p, -g if maximize else g, s, t, values)
        _real(job.p).copy_(new_p)
        for name, old, new in zip(settings.rule.states, s, new_s, strict=True):
            if new is old:
                continue
            if differentiable:
                made = new.to(old.dtype)
                key = state_key(settings.rule, name)
                job.state[key] = torch.view_as_complex(made) if job.state[key].is_complex() else made
            else:
                old.copy_(new)
        job.state["step"] += 1


def _real(x: torch.Tensor) -> torch.Tensor:
    # Real and imaginary part are two numbers to every rule, as in torch.
    return torch.view_as_real(x) if x.is_complex() else x
