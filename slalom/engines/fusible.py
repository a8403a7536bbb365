"""Which parameters compiled code may step, and how they lie in memory."""

from __future__ import annotations

import torch

from slalom.core.rule import Settings
from slalom.engines import device
from slalom.engines.device import PLAIN
from slalom.engines.inside import wrapped
from slalom.engines.kernels.storage import STORED, Storage
from slalom.engines.state import state_key
from slalom.engines.step import Job

_COUNTS = (torch.float32, torch.float64)  # of counts and scalar states


def alike(p: torch.Tensor, x: torch.Tensor) -> bool:
    """Whether the same element of both lies at the same distance from their first."""
    return p.shape == x.shape and ((p.is_contiguous() and x.is_contiguous()) or p.stride() == x.stride())


def fusible(job: Job, settings: Settings) -> bool:
    """Whether compiled code may step this parameter: plain memory of one device, of one form throughout."""
    p = job.p
    if p.device.type != "cpu" and not device.on_cuda(p):
        return False
    if type(p) not in PLAIN or p.layout != torch.strided or not _stored(p):
        return False
    if wrapped(p) or p.is_neg() or p.is_conj() or not isinstance(job.state, dict):
        return False
    if not all(type(x) in PLAIN and x.layout == torch.strided for x in job.state.values()):
        return False  # something of the user's own
    if not (p.is_contiguous() or torch.ops.aten.is_non_overlapping_and_dense(p)):
        return False
    others = [(job.g, False), (job.state["step"], True)]
    for name, declared in settings.states.items():
        x = job.state[state_key(settings.rule, name)]
        if declared.window is not None:
            if not (p.is_contiguous() and x.is_contiguous() and x.shape == (settings.options[declared.window], *p.shape)):
                return False
            x = x[0]
        others.append((x, declared.scalar))
    for x, scalar in others:
        if type(x) not in PLAIN or x.layout != torch.strided or x.is_neg() or x.is_conj():
            return False
        if x.device != p.device and not (x is job.state["step"] and x.device.type == "cpu"):
            return False
        if scalar and (x.dtype not in _COUNTS or x.numel() != 1):
            return False
        if not scalar and not (_stored(x) and x.is_complex() == p.is_complex() and alike(p, x)):
            return False
    return True


def _stored(x: torch.Tensor) -> bool:
    return x.dtype in STORED or x.dtype in (torch.complex64, torch.complex128)


def storage_of(job: Job, settings: Settings) -> Storage:
    """How a parameter that is fusible lies in memory."""
    states = tuple(
        (name, job.state[state_key(settings.rule, name)].dtype.to_real())
        for name, declared in settings.states.items()
        if not declared.scalar
    )
    p = job.p.dtype.to_real()
    by_chance = job.stream is not None and torch.bfloat16 in (p, *(dtype for _, dtype in states))
    return Storage(p, job.g.dtype.to_real(), states, by_chance)
