"""Rows stepped by the rule itself, in torch operations: any device, dtype and layout; compiled code is tested against it."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import torch

from slalom.core.rule import Settings
from slalom.engines.kernels.storage import HALVES
from slalom.engines.sparse.gradient import axes
from slalom.engines.state import state_key

Scalars = Mapping[str, Any]  # states that are one number: one for all rows, or a tensor with one a row


class Matrices:
    """A parameter and its states seen as rows: `gather` takes some out as `[n, width]` real numbers, `scatter` puts them back.

    A windowed state is `[window, n, width]`.
    """

    def __init__(self, settings: Settings, p: torch.Tensor, cell: Mapping[str, torch.Tensor], lead: tuple[int, ...]) -> None:
        self.lead = lead
        self.p = _real(p.detach())
        self.width = prod(self.p.shape[len(lead) :])
        names = [name for name, state in settings.states.items() if not state.scalar]
        self.states = {name: _real(cell[state_key(settings.rule, name)]) for name in names}
        self.dtype = self.p.dtype  # what is computed in: the widest that anything is stored in
        for x in self.states.values():
            self.dtype = torch.promote_types(self.dtype, x.dtype)
        if self.dtype in HALVES:  # computed on as float32, as in the dense step
            self.dtype = torch.float32
        self.windows = {name for name in names if settings.states[name].window is not None}

    def gather(self, rows: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The parameter's rows, and each state's."""
        at: Any = axes(rows, self.lead)
        taken = {}
        for name, x in self.states.items():
            shape = (x.shape[0], len(rows), self.width) if name in self.windows else (len(rows), self.width)
            taken[name] = (x[(slice(None), *at)] if name in self.windows else x[at]).reshape(shape).to(self.dtype)
        return self.p[at].reshape(len(rows), self.width).to(self.dtype), taken

    def scatter(self, rows: torch.Tensor, p: torch.Tensor, states: Mapping[str, torch.Tensor]) -> None:
        """Puts rows back in place, in the dtype of what holds them."""
        at: Any = axes(rows, self.lead)
        rest = self.p.shape[len(self.lead) :]
        self.p[at] = p.reshape(len(rows), *rest).to(self.p.dtype)
        for name, new in states.items():
            x = self.states[name]
            if name in self.windows:
                x[(slice(None), *at)] = new.reshape(x.shape[0], len(rows), *rest).to(x.dtype)
            else:
                x[at] = new.reshape(len(rows), *rest).to(x.dtype)


def step(
    settings: Settings,
    values: Mapping[str, float],
    matrices: Matrices,
    rows: torch.Tensor,
    g: torch.Tensor,
    t: Any,
    scalars: Scalars,
) -> dict[str, Any]:
    """One step of these rows in place, at step `t` (counted from 1); returns the new scalar states.

    `t` and `scalars` are one number for all rows, or tensors with one a row.
    """
    p, states = matrices.gather(rows)
    g = g.to(matrices.dtype)
    if isinstance(t, torch.Tensor):
        new_p, new = _each_its_own(settings, values, matrices.windows, p, g, states, t, scalars)
    else:
        new_p, new = _update(settings, values, p, g, states, t, scalars)
    matrices.scatter(rows, new_p, {name: new[name] for name in states})
    return {name: new[name] for name in scalars}


def _update(settings: Settings, values: Any, p: Any, g: Any, states: Any, t: Any, scalars: Any) -> tuple[Any, dict[str, Any]]:
    known = {**states, **scalars}
    s = settings.rule.S(**{name: known.get(name) for name in settings.rule.states})
    new_p, new_s = settings.step(p, g, s, t, values)
    return new_p, {name: getattr(new_s, name) for name in known}


def _each_its_own(
    settings: Settings, values: Any, windows: set[str], p: Any, g: Any, states: Any, t: Any, scalars: Any
) -> tuple[Any, dict[str, Any]]:
    # As lanes: under vmap a row's count is a tensor without axes, which does not promote a float32 row.
    dims = {name: 1 if name in windows else 0 for name in states}
    dtypes = {name: x.dtype for name, x in {**states, **scalars}.items()}

    def one(p: Any, g: Any, states: Any, t: Any, scalars: Any) -> Any:
        new_p, new = _update(settings, values, p, g, states, t, scalars)
        return new_p.to(p.dtype), {name: torch.as_tensor(new[name]).to(dtypes[name]) for name in dtypes}

    out: Any = (0, {name: dims.get(name, 0) for name in dtypes})
    made: tuple[Any, dict[str, Any]] = torch.vmap(one, in_dims=(0, 0, dims, 0, dict.fromkeys(scalars, 0)), out_dims=out)(
        p, g, states, t, dict(scalars)
    )
    return made


def _real(x: torch.Tensor) -> torch.Tensor:
    return torch.view_as_real(x) if x.is_complex() else x
