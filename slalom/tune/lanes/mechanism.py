"""Runs padded MLPs together: `slalom.engines.lanes` with a mechanism that knows what of each lane is real.

Activations are `[lanes, units, batch]` as in the engine's own stacked form, whose layout the rest follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from slalom.engines.lanes.choose import Choice
from slalom.engines.lanes.counter import uniform_at
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.losses import Loss, lane_loss
from slalom.engines.lanes.mechanism import Buffers, Gradients
from slalom.nets.activations import ACTIVATIONS
from slalom.tune.lanes.architecture import SHARED


def _sends_zero(name: str) -> bool:
    return float(ACTIVATIONS[name].make()(torch.zeros(1, dtype=torch.float64))) == 0.0


ZERO_AT_ZERO = tuple(_sends_zero(name) for name in SHARED)


@dataclass
class Plan:
    """What the lanes of a call need, worked out once for each company of lanes.

    `groups`: rows of each activation; `back`: where each row went. `real [depth][lanes, units, 1]`: 1 for real units, or None
    where every activation sends 0 on. `on [depth][lanes, 1, 1]`: whether the layer is there, None where it is for all.
    `drops`: rows with dropout.
    """

    groups: list[tuple[nn.Module, Tensor]]
    back: Tensor | None
    real: list[Tensor | None]
    on: list[Tensor | None]
    drops: Tensor


@dataclass
class Masked:
    """See `slalom.engines.lanes.mechanism.Mechanism`; `layout` is that of a `MaskedMLP`."""

    layout: Layout
    loss_name: str | Loss
    name: str = "masked"
    compacts: float = 0.25
    spare: int = 0  # padded widths are multiples of a vector: no call has a tail
    plans: dict[Any, Plan] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.loss = lane_loss(self.loss_name)
        self.depth = sum(n.startswith("hidden.") and n.endswith(".weight") for n in self.layout.names)
        self.width = dict(zip(self.layout.names, self.layout.shapes, strict=True))["out.weight"][1]

    def _plan(self, buffers: Buffers, dtype: torch.dtype) -> Plan:
        codes, widths, rates = buffers["activation"].tolist(), buffers["widths"].tolist(), buffers["dropout"].tolist()
        key = (tuple(codes), tuple(map(tuple, widths)), tuple(rates))
        if key not in self.plans:
            self.plans[key] = self._make_plan(codes, widths, rates, dtype)
        return self.plans[key]

    def _make_plan(self, codes: list[int], widths: list[list[int]], rates: list[float], dtype: torch.dtype) -> Plan:
        present = sorted(set(codes))
        rows = [torch.tensor([i for i, c in enumerate(codes) if c == code]) for code in present]
        groups = [(ACTIVATIONS[SHARED[code]].make(), r) for code, r in zip(present, rows, strict=True)]
        back = torch.argsort(torch.cat(rows)) if len(present) > 1 else None
        masks = not all(ZERO_AT_ZERO[code] for code in present)
        real: list[Tensor | None] = []
        on: list[Tensor | None] = []
        for layer in range(self.depth):
            w = torch.tensor([row[layer] for row in widths])
            real.append((torch.arange(self.width) < w.unsqueeze(1)).to(dtype).unsqueeze(2) if masks else None)
            on.append(None if bool((w > 0).all()) else (w > 0).view(-1, 1, 1))
        drops = torch.tensor([i for i, p in enumerate(rates) if p > 0], dtype=torch.int64)
        return Plan(groups, back, real, on, drops)

    def _activate(self, h: Tensor, plan: Plan) -> Tensor:
        if plan.back is None:
            made: Tensor = plan.groups[0][0](h)
            return made
        return torch.cat([act(h.index_select(0, rows)) for act, rows in plan.groups]).index_select(0, plan.back)

    def _masks(self, plan: Plan, buffers: Buffers, keys: Tensor, batch: int, dtype: torch.dtype) -> Tensor:
        """Factors of dropout `[depth, rows with dropout, units, batch]`, with the mask that the small model alone draws.

        There element (sample, unit) counts `sample * width + unit`; a layer that a lane lacks draws what nothing reads.
        """
        rows = plan.drops
        width = buffers["widths"][rows].T.reshape(self.depth, -1, 1, 1)
        places = torch.arange(batch) * width, torch.arange(self.width).view(1, 1, -1, 1)
        sites = torch.arange(1, self.depth + 1).view(-1, 1)
        p = buffers["dropout"][rows].view(-1, 1, 1)
        keep = uniform_at(keys[rows].expand(self.depth, -1), sites, *places) >= p
        return keep.to(dtype).mul_(1 / (1 - p))

    def _forward(self, params: dict[str, Tensor], buffers: Buffers, x: Tensor, keys: Tensor | None) -> Tensor:
        plan = self._plan(buffers, x.dtype)
        h = x.flatten(2).transpose(1, 2)
        drops = keys is not None and len(plan.drops) > 0
        masks = self._masks(plan, buffers, keys, h.shape[2], h.dtype) if keys is not None and drops else None
        for layer in range(self.depth):
            weight, bias = params[f"hidden.{layer}.weight"], params[f"hidden.{layer}.bias"]
            z = self._activate(torch.baddbmm(bias.unsqueeze(2), weight, h), plan)
            real, on = plan.real[layer], plan.on[layer]
            if real is not None:
                z = z * real
            if masks is not None:
                z = z * masks[layer] if len(plan.drops) == len(z) else z.index_copy(0, plan.drops, z[plan.drops] * masks[layer])
            h = z if on is None else torch.where(on, z, h)
        return torch.baddbmm(params["out.bias"].unsqueeze(2), params["out.weight"], h).transpose(1, 2)

    def gradients(self, params: Tensor, buffers: Buffers, x: Tensor, y: Tensor, keys: Tensor, per_lane: bool) -> Gradients:
        """Training mode."""
        leaves = {k: v.detach().requires_grad_() for k, v in self.layout.split(params).items()}
        outputs = self._forward(leaves, buffers, x if per_lane else x.expand(len(params), *x.shape), keys)
        loss = self.loss(outputs, y, per_lane)
        grads = torch.autograd.grad(loss.sum(), list(leaves.values()))
        return Gradients(loss.detach(), self.layout.join(grads), dict(buffers))

    def predict(self, params: Tensor, buffers: Buffers, x: Tensor) -> Tensor:
        """Evaluation mode."""
        with torch.no_grad():
            return self._forward(self.layout.split(params), buffers, x.expand(len(params), *x.shape), None)


class MaskedChoice(Choice):
    """The engine's choice of a mechanism, made beforehand."""

    def make(self, template: nn.Module, layout: Layout, loss: str | Loss) -> Masked:
        """A mechanism of its own for one chunk."""
        return Masked(layout, loss)


MASKED = MaskedChoice("masked", "MLPs padded to one shape")
