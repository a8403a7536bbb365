"""The penalties of a chunk's lanes: each lane its own strength, on its own row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from slalom.core.penalty import Penalty
from slalom.core.rule import Settings
from slalom.engines.lanes.lane import Lane
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.update import Mask, RuleUpdate, Update
from slalom.engines.printers.proximal import STRENGTH
from slalom.engines.response import Response


class Penalties:
    """`before` a step adds to the gradients; a proximal step is part of the compiled rule, which is told its strengths here.

    Where rules are run by torch, `before` looks how far they will move, and `after` thresholds the weights.
    """

    def __init__(
        self, lanes: Sequence[Lane], modules: Sequence[nn.Module], layout: Layout, updates: Sequence[tuple[slice, Update]],
        device: torch.device,
    ) -> None:  # fmt: skip
        self.lanes = lanes
        self.of: dict[int, Penalty] = {i: lane.penalty for i, lane in enumerate(lanes) if lane.penalty is not None}
        self.device = device
        masks: dict[Any, Tensor] = {}
        for penalty in self.of.values():
            key = None if penalty.params is None else tuple(penalty.params)
            if key not in masks:
                chosen = penalty.chosen(modules[0])
                parts = [torch.full((size,), name in chosen) for name, size in zip(layout.names, layout.sizes, strict=True)]
                masks[key] = torch.cat(parts).to(device)
        self.masks = {i: masks[None if p.params is None else tuple(p.params)] for i, p in self.of.items()}
        fused: set[int] = set()
        for rows, update in updates:
            if isinstance(update, RuleUpdate) and STRENGTH in update.states:
                fused |= set(range(rows.start, rows.stop))
                for i in range(rows.start, rows.stop):
                    update.states[STRENGTH][i - rows.start] = self.of[i].l1 * self.masks[i].double()
        self.responses = {i: Response() for i, p in self.of.items() if p.thresholds and i not in fused}
        self.moves: dict[int, Tensor] = {}
        self.l2 = self._strengths(layout.length, {i: p.l2 for i, p in self.of.items() if p.l2})
        self.signed = self._strengths(layout.length, {i: p.l1 for i, p in self.of.items() if p.l1 and not p.thresholds})

    def _strengths(self, width: int, told: dict[int, float]) -> Tensor | None:
        """What each weight of each lane is penalised by, `[lanes, D]`; None where no lane is."""
        if not told:
            return None
        made = torch.zeros(len(self.lanes), width, dtype=torch.float64, device=self.device)
        for i, strength in told.items():
            made[i] = strength * self.masks[i].double()
        return made

    def strengths(self, dtype: torch.dtype) -> tuple[Tensor | None, Tensor | None]:
        """Of L2 and of the subgradient of L1: what each weight of each lane is penalised by, `[lanes, D]`; None for none."""
        self.l2, self.signed = (None if s is None else s.to(dtype) for s in (self.l2, self.signed))
        return self.l2, self.signed

    def before(self, params: Tensor, grads: Tensor, rows: slice, update: Update, t: int, live: Mask) -> None:
        """Changes the gradients `[lanes, D]` of these rows in place; `update` is what will step them."""
        # Product and sum apart: fused into one rounding, a number would depend on where in the tensor it stands.
        l2, signed = self.strengths(params.dtype)
        if l2 is not None:
            grads[rows] += l2[rows] * params[rows]
        if signed is not None:
            grads[rows] += signed[rows] * params[rows].sign()
        for i in self.responses:
            if rows.start <= i < rows.stop and live[i] and isinstance(update, RuleUpdate):
                self.moves[i] = self._moves(i, params[i], grads[i], i - rows.start, update, t)

    def _moves(self, i: int, p: Tensor, g: Tensor, row: int, update: RuleUpdate, t: int) -> Tensor:
        settings = self.lanes[i].optimizer
        assert isinstance(settings, Settings)
        values = {k: float(v[row]) for k, v in update.hypers(t).items()}
        held = {k: v[row] for k, v in update.states.items()} | {k: torch.tensor(v[row]) for k, v in update.scalars.items()}
        s = settings.rule.S(**{k: held.get(k) for k in settings.rule.states})
        return self.responses[i].moves(settings, p, g, s, t, values)

    def after(self, params: Tensor, stepped: Mask) -> None:
        """Thresholds the rows that have stepped."""
        for i, moved in self.moves.items():
            if stepped[i]:
                row, mask = params[i], self.masks[i]
                shrunk = row.clone()
                self.of[i].shrink(shrunk, moved.to(row.dtype))
                row[mask] = shrunk[mask]
        self.moves = {}

    def state_dict(self) -> dict[str, Any]:
        return {str(i): r.state_dict() for i, r in self.responses.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for i, tangents in state.items():
            self.responses[int(i)].load_state_dict(tangents)

    def take(self, row: int, other: Penalties, place: int) -> None:
        """Goes on where another's row stands."""
        if row in self.responses:
            self.responses[row].tangents = dict(other.responses[place].tangents)
