"""A sparse gradient read: which rows it touches, each once and in order, and what it says of them."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import torch

from slalom.core.errors import BadValueError


class RowGradient(NamedTuple):
    """`rows` (int64 [n], rising) of a parameter seen as `[count, width]` real numbers, and their gradient `[n, width]`.

    `lead`: the axes that indices run over, all of them counted as one; complex numbers are two real ones.
    """

    rows: torch.Tensor
    values: torch.Tensor
    lead: tuple[int, ...]


def read(g: torch.Tensor, p: torch.Tensor, who: str) -> RowGradient:
    """The gradient by row; BadValueError for one that is not COO, or has another shape, dtype or device than `p`."""
    what = f"{who}: the gradient of a parameter of shape {tuple(p.shape)}"
    if g.layout != torch.sparse_coo:
        raise BadValueError(
            f"{what} must be dense or torch.sparse_coo, got {g.layout}; p.grad = p.grad.to_sparse() before the step"
        )
    if g.shape != p.shape or g.dtype != p.dtype or g.device != p.device:
        raise BadValueError(
            f"{what} must be {p.dtype} on {p.device} of that shape, got {g.dtype} on {g.device} of {tuple(g.shape)}"
        )
    if p.layout != torch.strided:
        raise BadValueError(f"{what} is sparse, and so is the parameter ({p.layout}); a sparse gradient steps a dense parameter")
    if g.sparse_dim() == 0:
        raise BadValueError(f"{what} is sparse without an axis that indices run over; p.grad = p.grad.to_dense() before the step")
    lead = tuple(p.shape[: g.sparse_dim()])
    g = g.detach()
    merged = g if g.is_coalesced() else g.coalesce()
    rows = flat(merged._indices(), lead)
    if not rising(rows, merged._indices(), lead):  # marked as coalesced, which it is not; indices are checked here
        merged = torch.sparse_coo_tensor(g._indices(), g._values(), g.shape, check_invariants=True).coalesce()
        rows = flat(merged._indices(), lead)
    values = torch.view_as_real(merged._values().resolve_conj()) if p.is_complex() else merged._values().resolve_neg()
    width = prod(p.shape[len(lead) :]) * (2 if p.is_complex() else 1)
    return RowGradient(rows, values.reshape(len(rows), width), lead)


def flat(indices: torch.Tensor, lead: tuple[int, ...]) -> torch.Tensor:
    """Indices `[axes, n]` as row numbers `[n]`."""
    rows = indices[0]
    for axis, size in zip(indices[1:], lead[1:], strict=True):
        rows = rows * size + axis
    return rows.contiguous()


def rising(rows: torch.Tensor, indices: torch.Tensor, lead: tuple[int, ...]) -> bool:
    """Whether the rows rise, none twice, all within the parameter."""
    if len(rows) == 0:
        return True
    inside = int(rows[0]) >= 0 and int(rows[-1]) < prod(lead)
    if len(lead) > 1:  # an index beyond its axis may still give a row that exists
        ends = torch.tensor(lead, device=indices.device).unsqueeze(1)
        inside = inside and bool(((indices >= 0) & (indices < ends)).all())
    return inside and bool((rows[1:] > rows[:-1]).all())


def axes(rows: torch.Tensor, lead: tuple[int, ...]) -> tuple[torch.Tensor, ...]:
    """Row numbers as one index an axis, for indexing the parameter itself."""
    return (rows,) if len(lead) == 1 else tuple(torch.unravel_index(rows, lead))
