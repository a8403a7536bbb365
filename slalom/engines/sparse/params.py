"""One parameter whose gradients are sparse, as compiled code sees it, and its counts."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch.autograd.graph import increment_version

from slalom.core.rule import Settings
from slalom.engines.device import PLAIN
from slalom.engines.inside import traced
from slalom.engines.state import state_key

State = MutableMapping[str, torch.Tensor]


def width_of(p: torch.Tensor, lead: tuple[int, ...]) -> int:
    """How many real numbers a row has."""
    return prod(p.shape[len(lead) :]) * (2 if p.is_complex() else 1)


def real_dtype(p: torch.Tensor) -> torch.dtype:
    """The dtype of its numbers, each half of a complex one."""
    return p.dtype.to_real() if p.is_complex() else p.dtype


def matrix(x: torch.Tensor, dtype: torch.dtype, shape: torch.Size) -> bool:
    """Whether compiled code may step its rows: plain CPU memory, packed, of that dtype and shape."""
    return (
        type(x) in PLAIN
        and x.layout == torch.strided
        and x.device.type == "cpu"
        and x.dtype == dtype
        and x.shape == shape
        and x.is_contiguous()
        and not (x.is_neg() or x.is_conj())
    )


def table(settings: Settings, names: list[str], p: torch.Tensor, cell: Mapping[str, torch.Tensor]) -> NDArray[np.int64] | None:
    """Where the parameter and these states lie; None where compiled code may not step them."""
    if traced():
        return None
    tensors = [p, *(cell[state_key(settings.rule, name)] for name in names)]
    if not all(matrix(x, p.dtype, p.shape) for x in tensors):
        return None
    return np.array([x.data_ptr() for x in tensors], np.int64)


def steps_taken(cell: Mapping[str, torch.Tensor]) -> int:
    """The parameter's count of steps."""
    return int(cell["step"].item())


def scalars_of(settings: Settings, cell: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """The states that are one number a parameter."""
    return {k: float(cell[state_key(settings.rule, k)].item()) for k, s in settings.states.items() if s.scalar}


def advance(settings: Settings, cell: Mapping[str, torch.Tensor], scalars: Mapping[str, float]) -> None:
    """Counts one step of the parameter as a whole, and notes its new scalar states."""
    cell["step"].add_(1)
    for name, value in scalars.items():
        cell[state_key(settings.rule, name)].fill_(float(value))


def changed(p: torch.Tensor) -> None:
    """Tells autograd that compiled code has changed the parameter."""
    increment_version(p)
