"""Which parameters compiled code may step, and how they lie in memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter

import torch

from slalom.core.rule import Settings
from slalom.engines import device
from slalom.engines.device import PLAIN
from slalom.engines.inside import wrapped
from slalom.engines.kernels.storage import STORED, Storage
from slalom.engines.state import state_key
from slalom.engines.step import Job

_layout, _on_cpu, _dtype, _shape = map(attrgetter, ("layout", "is_cpu", "dtype", "shape"))
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


def shared_storage(jobs: Sequence[Job], settings: Settings) -> Storage | None:
    """How all of these lie, where they lie alike: plain packed memory of the processor; None where each has to be looked at.

    One question to all of them at a time, which is far quicker than all questions to one.
    """
    if not jobs or device.on_cuda(jobs[0].p) or any(state.window is not None for state in settings.states.values()):
        return None
    params, cells = [job.p for job in jobs], [job.state for job in jobs]
    keys = {name: state_key(settings.rule, name) for name in settings.states}
    if any(type(cell) is not dict or len(cell) != 1 + len(keys) for cell in cells) or any(map(wrapped, params)):
        return None
    scalars = [name for name, state in settings.states.items() if state.scalar]
    names = [name for name in keys if name not in scalars]
    counts = [cell[key] for key in ("step", *(keys[name] for name in scalars)) for cell in cells]
    columns = [params, [job.g for job in jobs], *([cell[keys[name]] for cell in cells] for name in names)]
    matrices = list(chain.from_iterable(columns))
    every = [*matrices, *counts]
    if not PLAIN.issuperset(map(type, every)) or set(map(_layout, every)) != {torch.strided} or not all(map(_on_cpu, every)):
        return None
    shapes = list(map(_shape, params))
    if any(map(torch.Tensor.is_neg, every)) or not all(map(torch.Tensor.is_contiguous, matrices)):
        return None
    if not {*_COUNTS}.issuperset(map(_dtype, counts)) or set(map(torch.Tensor.numel, counts)) != {1}:
        return None
    if any(list(map(_shape, column)) != shapes for column in columns[1:]):
        return None
    dtypes = [set(map(_dtype, column)) for column in columns]
    if any(len(found) > 1 or not found.issubset(STORED) for found in dtypes):  # complex ones too are left to `fusible`
        return None
    return storage_of(jobs[0], settings)


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
