"""What is done to every gradient before a rule sees it: GradScaler's factor taken out, the norm of all bounded.

Neither writes to a gradient: both are one factor that the step multiplies by as it reads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from slalom.core.errors import BadValueError

EPS = 1e-6  # torch.nn.utils.clip_grad_norm_ adds it to the norm


def largest_norm(who: str, groups: Sequence[Mapping[str, Any]]) -> float | None:
    """`clip_grad_norm`, which bounds one norm over all groups and so must be the same in each; else BadValueError."""
    told = [group["clip_grad_norm"] for group in groups]
    if any(x != told[0] for x in told[1:]):
        raise BadValueError(
            f"{who}: clip_grad_norm bounds the norm of all gradients together and must be the same in every parameter group, "
            f"got {told}; set it in each"
        )
    largest: float | None = told[0]
    return largest


def number(value: Any) -> float:
    """A number, or a tensor of one (a DTensor too), as a float."""
    return float(value.full_tensor() if hasattr(value, "full_tensor") else value)


def norm_of(gradients: Sequence[torch.Tensor], squares: float = 0.0) -> torch.Tensor:
    """The L2 norm of these gradients together with others whose sum of squares is known: a tensor of one number.

    16-bit gradients are summed in float32. Of a sparse gradient, the sum over its coalesced values counts. Of a DTensor,
    the whole tensor counts, not this process's part of it: every process must call this.
    """
    norms = [torch.tensor(math.sqrt(squares), dtype=torch.float64)] if squares or not gradients else []
    distributed = [g for g in gradients if hasattr(g, "full_tensor")]
    for g in gradients:
        if hasattr(g, "full_tensor"):
            continue
        values = g.coalesce()._values() if g.is_sparse else g
        values = torch.view_as_real(values.resolve_conj()) if values.is_complex() else values
        wide = torch.float32 if values.dtype.itemsize < 4 else values.dtype
        norms.append(torch.linalg.vector_norm(values, dtype=wide))
    if distributed:
        total = torch.nn.utils.get_total_norm(distributed)
        norms.append(total.full_tensor() if hasattr(total, "full_tensor") else total)
    device, dtype = norms[-1].device, torch.float64 if any(x.dtype == torch.float64 for x in norms) else torch.float32
    if len(norms) == 1:
        return norms[0]
    made: torch.Tensor = torch.linalg.vector_norm(torch.stack([x.to(device, dtype) for x in norms]))
    return made


def clip_factor(norm: torch.Tensor, largest: float) -> torch.Tensor:
    """What gradients of that norm are multiplied by: 1 where it is small enough, NaN where it is NaN; as torch."""
    if math.isinf(largest):
        return torch.where(norm.isnan(), norm, torch.ones_like(norm))
    return (largest / (norm + EPS)).clamp(max=1.0)
