"""The eager step: the rule itself, one parameter after another, in torch operations.

It serves whatever compiled code (`slalom.engines.fused`) does not, and is what that is tested against. 16-bit numbers are
computed on as float32 and rounded when they are stored, as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from slalom.core.rule import Settings
from slalom.engines.kernels.storage import HALVES, STORED, compute_dtype
from slalom.engines.rounding import rounded
from slalom.engines.state import state_key, values_of


class Job(NamedTuple):
    """A parameter, its gradient (only read), and its state, whole, with its count of steps taken under "step".

    `stream`: where its random bits come from if bfloat16 is rounded by chance (`slalom.engines.rounding`), else None.
    """

    p: torch.Tensor
    g: torch.Tensor
    state: dict[str, torch.Tensor]
    stream: int | None = None


def update(
    settings: Settings,
    values: Mapping[str, Any],
    jobs: Sequence[Job],
    *,
    maximize: bool,
    differentiable: bool,
    factor: float | torch.Tensor = 1.0,
) -> None:
    """Steps every job in place under the same settings; `values` are its hypers, some perhaps tensors.

    Every gradient is multiplied by `factor` first: what unscaling and clipping make of it.
    """
    rule = settings.rule
    for job in jobs:
        p, g = (_real(x) for x in (job.p, job.g))
        s = values_of(rule, job.state)
        kept = [x for name, x in zip(rule.states, s, strict=True) if x is not None and not rule.states[name].scalar]
        dtype = _compute(p, kept)
        if differentiable and p.dtype == dtype:
            p = p.clone()  # autograd may keep p for the backward pass, and job.p is about to change
        p, g = p.to(dtype), g.to(dtype)
        if isinstance(factor, torch.Tensor):
            g = g * (-factor if maximize else factor).to(g.device)
        elif factor != 1.0:
            g = g * (-factor if maximize else factor)
        elif maximize:
            g = -g
        wide = rule.S(*(x if x is None or rule.states[k].scalar else x.to(dtype) for k, x in zip(rule.states, s, strict=True)))
        t = int(job.state["step"].item()) + 1
        new_p, new_s = settings.step(p, g, wide, t, values)
        _store(_real(job.p), new_p, job.stream, t, 0)
        for number, (name, old, was, new) in enumerate(zip(rule.states, s, wide, new_s, strict=True), 1):
            if new is was:
                continue
            if differentiable:
                made = new.to(old.dtype)
                key = state_key(rule, name)
                job.state[key] = torch.view_as_complex(made) if job.state[key].is_complex() else made
            else:
                _store(old, new, job.stream, t, number)
        job.state["step"] += 1


def _real(x: torch.Tensor) -> torch.Tensor:
    # Real and imaginary part are two numbers to every rule, as in torch.
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x


def _compute(p: torch.Tensor, kept: Sequence[torch.Tensor]) -> torch.dtype:
    # What it is computed in: as it is stored where all of it is stored alike, and not in 16 bits.
    stored = {p.dtype, *(x.dtype for x in kept)}
    if stored.issubset(STORED) and (len(stored) > 1 or p.dtype in HALVES):
        return compute_dtype(*stored)
    return p.dtype


def _store(target: torch.Tensor, new: torch.Tensor, stream: int | None, t: int, number: int) -> None:
    if stream is None or target.dtype != torch.bfloat16:
        target.copy_(new)
        return
    if hasattr(target, "to_local"):  # a DTensor: each shard by itself
        target, new = target.to_local(), new.to_local()  # type: ignore[attr-defined]
    target.copy_(rounded(new, target, stream, t, number))
