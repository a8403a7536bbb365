"""sparse="lazy": the touched rows are stepped, each at its own count of steps; the others rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from slalom.core.errors import BadValueError
from slalom.core.rule import Settings
from slalom.engines.sparse import eager
from slalom.engines.sparse.gradient import RowGradient
from slalom.engines.sparse.kernels import StepKernel, compiled, counts
from slalom.engines.sparse.params import State, advance, changed, real_dtype, scalars_of, steps_taken, table
from slalom.engines.state import state_key

COUNT = "row_step"


def row_key(settings: Settings, name: str) -> str:
    """The key of a scalar state that every row has for itself."""
    return f"row_{state_key(settings.rule, name)}"


def counted(cell: Mapping[str, Any]) -> bool:
    """Whether the rows of this parameter have counts of their own."""
    return COUNT in cell


def count_rows(settings: Settings, p: torch.Tensor, cell: State, lead: tuple[int, ...], who: str) -> None:
    """Gives every row its count and scalar states, those of the parameter so far, where the rule needs them."""
    if counted(cell) and tuple(cell[COUNT].shape) != lead:
        raise BadValueError(
            f"{who}: the rows of a parameter of shape {tuple(p.shape)} are counted over its first {cell[COUNT].dim()} axes, but "
            f"its sparse gradient now has {len(lead)}; keep sparse_dim the same from step to step"
        )
    if not counted(cell) and counts(settings):
        cell[COUNT] = torch.full(lead, steps_taken(cell), dtype=torch.int32, device=p.device)
    for name, value in scalars_of(settings, cell).items() if counted(cell) else ():
        if row_key(settings, name) not in cell:
            cell[row_key(settings, name)] = torch.full(lead, value, dtype=torch.float64, device=p.device)


def step(settings: Settings, p: torch.Tensor, cell: State, gradient: RowGradient, factor: float) -> None:
    """Steps the rows in place along `factor` times the gradient, and counts one step of the parameter as a whole."""
    rows, own = gradient.rows, counted(cell)
    whole, scalars = steps_taken(cell), scalars_of(settings, cell)
    mine = {name: cell[row_key(settings, name)].view(-1)[rows] for name in scalars} if own else {}
    taken = cell[COUNT].view(-1)[rows] if own else torch.empty(0, dtype=torch.int32)
    kernel = compiled(StepKernel, settings, real_dtype(p))
    at = None if kernel is None else table(settings, kernel.states, p, cell)
    if kernel is not None and at is not None:
        # Last of all stands the parameter as a whole: what a row that was touched at every step would have.
        told, which = _distinct(
            taken, whole, [(mine[k], scalars[k]) for k in kernel.scalars] if own else [], kernel.scalars, scalars
        )
        coefficients, after = kernel.coefficients(settings.values, told[0] + 1, dict(zip(kernel.scalars, told[1:], strict=True)))
        if gradient.entries.numel():
            kernel.step(at, gradient, apart(gradient.entries, p), which[:-1] if own else None, coefficients, factor)
            changed(p)
        new = {name: torch.from_numpy(x[which[:-1]]) for name, x in zip(kernel.scalars, after, strict=True)} if own else {}
        new_whole = {name: float(x[which[-1]]) for name, x in zip(kernel.scalars, after, strict=True)}
    else:
        new = _eager(settings, p, cell, gradient, taken, mine, whole, factor)
        nothing = torch.zeros(1, dtype=torch.float64)
        _, s = settings.step(nothing, nothing, _whole(settings, scalars), whole + 1)
        new_whole = {name: float(getattr(s, name)) for name in scalars}
    if own:
        cell[COUNT].view(-1)[rows] = taken + 1
        for name, x in new.items():
            cell[row_key(settings, name)].view(-1)[rows] = x
    advance(settings, cell, new_whole)


def _distinct(
    taken: torch.Tensor, whole: int, pairs: list[tuple[torch.Tensor, float]], names: list[str], scalars: Mapping[str, float]
) -> tuple[Any, Any]:
    """Sets of counts and scalar states, `[1 + scalars, r]`, and which of them each row has; last the parameter as a whole."""
    counts_now = np.append(taken.numpy().astype(np.int64), whole)
    if pairs:
        told = np.stack([counts_now.astype(np.float64), *(np.append(x.numpy(), value) for x, value in pairs)])
        if (told == told[:, :1]).all():
            return told[:, :1], np.zeros(told.shape[1], np.int64)
        return told, np.arange(told.shape[1])
    if not len(taken):
        return np.array([[float(whole)], *([scalars[k]] for k in names)]), np.zeros(1, np.int64)
    low = int(counts_now.min())
    if int(counts_now.max()) - low > 16 * len(counts_now):
        values, which = np.unique(counts_now, return_inverse=True)
        return values[None].astype(np.float64), which
    present = np.zeros(int(counts_now.max()) - low + 1, bool)
    present[counts_now - low] = True
    return (np.flatnonzero(present) + low)[None].astype(np.float64), (np.cumsum(present) - 1)[counts_now - low]


def _eager(
    settings: Settings, p: torch.Tensor, cell: State, gradient: RowGradient, taken: Any, mine: Any, whole: int, factor: float
) -> dict[str, torch.Tensor]:
    rows = gradient.rows
    if not len(rows):
        return {}
    counts_now: Any = taken.to(torch.float64) + 1 if counted(cell) else whole + 1
    scalars = mine if counted(cell) else {}
    columns = [counts_now, *scalars.values()] if counted(cell) else []
    alike = all(bool((x == x[0]).all()) for x in columns)
    if alike and columns:  # as in the dense step
        counts_now, scalars = int(counts_now[0]), {name: x[0] for name, x in scalars.items()}
    matrices = eager.Matrices(settings, p, cell, gradient.lead)
    new = eager.step(settings, settings.values, matrices, rows, gradient.values * factor, counts_now, scalars)
    return {name: torch.as_tensor(x, dtype=torch.float64).expand(len(rows)) for name, x in new.items()}


def _whole(settings: Settings, scalars: Mapping[str, float]) -> Any:
    s = settings.init(torch.zeros(1, dtype=torch.float64))
    return s._replace(**{name: torch.tensor(value, dtype=torch.float64) for name, value in scalars.items()})


def apart(g: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """A packed gradient, copied where it lies in the parameter's own memory."""
    begin, end = p.data_ptr(), p.data_ptr() + p.numel() * p.element_size()
    return g.clone() if begin < g.data_ptr() + g.numel() * g.element_size() and g.data_ptr() < end else g
