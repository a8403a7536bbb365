"""A sparse gradient read: which rows it touches, each once and in order, and what it says of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from slalom.core.errors import BadValueError
from slalom.engines.sparse.groups import Groups, groupable, grouped, sums
from slalom.engines.sparse.params import width_of


@dataclass(frozen=True)
class RowGradient:
    """`rows` (int64 [n], rising) of a parameter seen as `[count, width]` real numbers, and the entries of their gradient.

    `lead`: the axes that indices run over, all of them counted as one. `entries [m, width]`, packed: complex numbers are two
    real ones. `groups`: which entries sum to the gradient of which row; None where entry j is row j's.
    """

    rows: torch.Tensor
    entries: torch.Tensor
    lead: tuple[int, ...]
    groups: Groups | None = None

    @cached_property
    def values(self) -> torch.Tensor:
        """The gradient by row, `[n, width]`."""
        return self.entries if self.groups is None else sums(self.groups, self.entries)


def read(g: torch.Tensor, p: torch.Tensor, who: str) -> RowGradient:
    """The gradient by row; BadValueError where it is not COO, not of the shape, dtype and device of `p`, or an index is wrong."""
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
    indices, groups = g._indices(), None
    if groupable(indices, p.dtype.to_real()):
        found = grouped(indices, lead)
        if found is None:
            raise _outside(indices, lead, what)
        rows, groups = found
    else:
        if not bool(((indices >= 0) & (indices < _ends(indices, lead))).all()):
            raise _outside(indices, lead, what)
        rows, g = flat(indices, lead), g.detach()
        if not (g.is_coalesced() and bool((rows[1:] > rows[:-1]).all())):  # marked as coalesced, it need not be
            g = g._coalesced_(False).coalesce()
            rows = flat(g._indices(), lead)
    values = torch.view_as_real(g._values().detach().resolve_conj()) if p.is_complex() else g._values().detach().resolve_neg()
    return RowGradient(rows, values.reshape(len(values), width_of(p, lead)).contiguous(), lead, groups)


def flat(indices: torch.Tensor, lead: tuple[int, ...]) -> torch.Tensor:
    """Indices `[axes, n]` as row numbers `[n]`."""
    rows = indices[0]
    for axis, size in zip(indices[1:], lead[1:], strict=True):
        rows = rows * size + axis
    return rows.contiguous()


def _ends(indices: torch.Tensor, lead: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor(lead, device=indices.device).unsqueeze(1)


def _outside(indices: torch.Tensor, lead: tuple[int, ...], what: str) -> BadValueError:
    axis, entry = ((indices < 0) | (indices >= _ends(indices, lead))).nonzero()[0].tolist()
    return BadValueError(
        f"{what} has the index {int(indices[axis, entry])} on axis {axis}, which must be in [0, {lead[axis]}); the layer "
        "that made it has another table, or torch.sparse_coo_tensor(...) was not told the size"
    )


def axes(rows: torch.Tensor, lead: tuple[int, ...]) -> tuple[torch.Tensor, ...]:
    """Row numbers as one index an axis, for indexing the parameter itself."""
    return (rows,) if len(lead) == 1 else tuple(torch.unravel_index(rows, lead))
