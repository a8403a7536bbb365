"""The same step run by torch: `torch.vmap` of the rule over the rows, for machines without a C compiler.

Same calls, same report, same transactions as `slalom.engines.kernels.kernel.Kernel`; it also runs rules that do not
print as C (a windowed state: a state tensor `[N, window, D]`). Numbers agree with the compiled step to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from slalom.core.errors import BadValueError
from slalom.core.rule import Settings
from slalom.engines.kernels.kernel import Array, check_matrix, check_rows, dtype_name, per_row
from slalom.engines.kernels.report import BAD_GRADIENT, BAD_PARAMETER, SKIPPED, UPDATED, StepReport


class ReferenceKernel:
    """The torch step of one program on rows of a matrix; its coefficients are the hypers, the step and the scalars."""

    compiled = False

    def __init__(self, settings: Settings, dtype: torch.dtype) -> None:
        dtype_name(dtype)
        self.settings = settings
        self.dtype = dtype
        self.element_states = [k for k, s in settings.states.items() if not s.scalar]
        self.scalar_states = [k for k, s in settings.states.items() if s.scalar]
        self._hypers = list(settings.rule.hypers)

    def __repr__(self) -> str:
        return f"<reference kernel {self.settings.rule.name} {dtype_name(self.dtype)}>"

    def coefficients(
        self, values: Mapping[str, Any], t: Any, scalars: Mapping[str, Any] | None = None
    ) -> tuple[Array, dict[str, Array]]:
        """As `Kernel.coefficients`; the columns are the hypers, the step and the scalar states."""
        scalars = scalars or {}
        parts = [*(values[k] for k in self._hypers), t, *(scalars[k] for k in self.scalar_states)]
        n = max((v.shape[0] for v in map(np.asarray, parts) if v.ndim == 1), default=1)
        rows = np.stack([np.broadcast_to(np.asarray(v, np.float64), n) for v in parts], axis=1)
        if not self.scalar_states:
            return rows, {}
        # Scalar states depend on hypers and step alone: a step of one-element lanes moves them as the real one does.
        empty = torch.zeros(n, 1, dtype=self.dtype)
        states = {k: torch.ones(n, *self._window(k), 1, dtype=self.dtype) for k in self.element_states}
        _, after = self._run(empty, empty, states, rows)
        return rows, {k: after[k].double().numpy().copy() for k in self.scalar_states}

    def step(
        self,
        P: torch.Tensor,
        G: torch.Tensor,
        states: Mapping[str, torch.Tensor],
        rows: Any,
        coefficients: Array,
        *,
        scale: Any = None,
        clip: Any = None,
        skip: Any = None,
        state_rows: Any = None,
        threads: int | None = None,
    ) -> StepReport:
        """As `Kernel.step`; `threads` is torch's own business here."""
        name = self.settings.rule.name
        check_matrix(f"{name}: P", P, self.dtype, None, P.device)
        check_matrix(f"{name}: G", G, self.dtype, tuple(P.shape), P.device)
        at = torch.from_numpy(check_rows("rows", rows, P.shape[0])).to(P.device)
        missing = [k for k in self.element_states if k not in states]
        if missing:
            raise BadValueError(f"{name}: states must hold {', '.join(self.element_states)}; {missing[0]!r} is missing")
        heights = [states[k].shape[0] for k in self.element_states]
        s_at = at
        if heights:
            s_at = torch.from_numpy(check_rows("state_rows", rows if state_rows is None else state_rows, min(heights)))
            s_at = s_at.to(P.device)
        n = at.numel()
        table = np.asarray(coefficients, np.float64)
        if table.shape[0] != n or s_at.numel() != n:
            counts = f"{n}, {s_at.numel()}, {table.shape[0]}"
            raise BadValueError(f"{name}: rows, state_rows and coefficients must be equally many, got {counts}")
        if n == 0:
            return StepReport(np.empty(0), np.empty(0, np.uint8))
        factor = np.ones(n) if scale is None else np.array(per_row("scale", scale, n, np.float64))
        limit = per_row("clip", clip, n, np.float64)
        asked = per_row("skip", skip, n, np.uint8)
        g = G[at]
        squares = g.double().square().sum(1).cpu().numpy()
        if limit is not None:
            with np.errstate(invalid="ignore"):
                share = limit / (np.abs(factor) * np.sqrt(squares) + 1e-6)
            factor = np.where(share < 1, share, 1.0) * factor
        g = g * torch.from_numpy(factor).to(P.device, self.dtype)[:, None]
        p, after = self._run(P[at], g, {k: states[k][s_at] for k in self.element_states}, table)
        status = np.full(n, UPDATED, np.uint8)
        status[~torch.isfinite(p).all(1).cpu().numpy()] = BAD_PARAMETER
        status[~torch.isfinite(G[at]).all(1).cpu().numpy()] = BAD_GRADIENT
        if asked is not None:
            status[asked != 0] = SKIPPED
        good = torch.from_numpy(status == UPDATED).to(P.device)
        P[at[good]] = p[good]
        for k in self.element_states:
            states[k][s_at[good]] = after[k][good]
        return StepReport(squares, status)

    def _window(self, state: str) -> tuple[int, ...]:
        window = self.settings.rule.states[state].window
        return () if window is None else (int(self.settings.options[window]),)

    def _run(
        self, p: torch.Tensor, g: torch.Tensor, states: Mapping[str, torch.Tensor], table: Array
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        settings, hypers, kept = self.settings, self._hypers, [*self.element_states, *self.scalar_states]
        columns = torch.from_numpy(np.ascontiguousarray(table.T)).to(p.device)
        scalars = columns[len(hypers) + 1 :]

        def lane(p: Any, g: Any, held: Any, values: Any, t: Any) -> Any:
            s = settings.rule.S(**{**dict.fromkeys(settings.rule.states), **held})
            new_p, new_s = settings.step(p, g, s, t, values)
            return new_p, {k: torch.as_tensor(getattr(new_s, k)) for k in kept}

        held = {**{k: states[k] for k in self.element_states}, **dict(zip(self.scalar_states, scalars, strict=True))}
        values = dict(zip(hypers, columns, strict=False))
        made: tuple[torch.Tensor, dict[str, torch.Tensor]] = torch.vmap(lane)(p, g, held, values, columns[len(hypers)])
        return made


def reference_programs(settings: Sequence[Settings], dtype: torch.dtype = torch.float32) -> list[ReferenceKernel]:
    """The torch steps of several programs; takes the place of `compile_programs` where there is no compiler."""
    return [ReferenceKernel(s, dtype) for s in settings]


def reference_program(settings: Settings, dtype: torch.dtype = torch.float32) -> ReferenceKernel:
    """The torch step of one program."""
    return ReferenceKernel(settings, dtype)
