"""How a chunk's gradients become its new parameters: by rules over slices of its lanes, or by torch optimizers one a lane.

A step is a transaction for each lane: where a gradient or a new parameter is not finite, that lane keeps what it had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from slalom.core.rule import Settings
from slalom.engines.lanes.lane import Lane, TorchOptimizer
from slalom.engines.lanes.layout import Layout

Mask = np.ndarray[Any, np.dtype[np.bool_]]


class Update(Protocol):
    """Steps the rows it was made for. `live`: rows that may change; `scale`: factor on each row's gradient (clipping)."""

    def step(self, params: Tensor, grads: Tensor, losses: Tensor, t: int, live: Mask, scale: Tensor | None) -> Mask:
        """Changes `params [rows, D]` in place; the rows that stepped and are finite."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def clip_scale(norm: Tensor, clip: float | Tensor) -> Tensor:
    """The factor of `torch.nn.utils.clip_grad_norm_`, with its 1e-6."""
    return (clip / (norm + 1e-6)).clamp(max=1.0)


def factors(lanes: Sequence[Lane], t: int) -> list[float]:
    """Each lane's schedule at step t (from 1)."""
    return [1.0 if lane.schedule is None else float(lane.schedule(t - 1)) for lane in lanes]


class RuleUpdate:
    """Lanes of one program (rule, options, gates), each with its own hypers, by the rule's reference path under vmap."""

    def __init__(self, lanes: Sequence[Lane], params: Tensor) -> None:
        self.lanes = lanes
        self.settings: list[Settings] = [lane.optimizer for lane in lanes if isinstance(lane.optimizer, Settings)]
        self.names = list(self.settings[0].states)
        rule = self.settings[0].rule
        self.values = {
            k: torch.tensor([s.values[k] for s in self.settings], dtype=torch.float64) for k in rule.hypers
        }
        init = [s.init(row) for s, row in zip(self.settings, params, strict=True)]
        self.states = {k: torch.stack([getattr(s, k) for s in init]) for k in self.names}

    def hypers(self, t: int) -> dict[str, Tensor]:
        """Values `[rows]` at step t: the schedule scales lr, and is itself given to rules that ask for it."""
        values = dict(self.values)
        if any(lane.schedule for lane in self.lanes):
            factor = torch.tensor(factors(self.lanes, t), dtype=torch.float64)
            values["lr"] = values["lr"] * factor
            if "schedule" in values:
                values["schedule"] = values["schedule"] * factor
        return values

    def step(self, params: Tensor, grads: Tensor, losses: Tensor, t: int, live: Mask, scale: Tensor | None) -> Mask:
        if scale is not None:
            grads = grads * scale.unsqueeze(1)
        first = self.settings[0]

        def one(p: Tensor, g: Tensor, states: dict[str, Tensor], values: dict[str, Tensor]) -> Any:
            s = first.rule.S(**{**dict.fromkeys(first.rule.states), **states})
            p, s = first.step(p, g, s, t, values)
            return p, {k: getattr(s, k) for k in self.names}

        new_params, new_states = torch.vmap(one)(params, grads, self.states, self.hypers(t))
        finite: Mask = torch.isfinite(new_params).all(1).numpy() & live
        if finite.all():
            params.copy_(new_params)
            self.states = new_states
        else:
            keep = torch.from_numpy(finite)
            params[keep] = new_params[keep]
            for k, v in new_states.items():
                self.states[k][keep] = v[keep]
        return finite

    def state_dict(self) -> dict[str, Any]:
        return dict(self.states)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.states = {k: state[k].clone() for k in self.names}


class TorchUpdate:
    """Lanes of `torch.optim` classes: a real module and optimizer each, whose parameters are views of the lane's row."""

    def __init__(
        self, lanes: Sequence[Lane], params: Tensor, layout: Layout, again: Callable[[int], tuple[Tensor, Tensor]]
    ) -> None:
        self.lanes = lanes
        self.again = again  # loss and gradient of a row at its present parameters, for optimizers that ask more than once
        self.parameters: list[list[nn.Parameter]] = []
        self.optimizers: list[torch.optim.Optimizer] = []
        self.layout = layout
        for i, lane in enumerate(lanes):
            assert isinstance(lane.optimizer, TorchOptimizer)
            own = [nn.Parameter(v[0]) for v in layout.split(params[i : i + 1]).values()]
            self.parameters.append(own)
            self.optimizers.append(lane.optimizer.cls(own, **lane.optimizer.arguments))
        self.base: list[list[Any]] = [[group.get("lr") for group in o.param_groups] for o in self.optimizers]

    def step(self, params: Tensor, grads: Tensor, losses: Tensor, t: int, live: Mask, scale: Tensor | None) -> Mask:
        finite = live.copy()
        for i, (optimizer, factor) in enumerate(zip(self.optimizers, factors(self.lanes, t), strict=True)):
            if not live[i]:
                continue
            before = params[i].clone()
            if self.lanes[i].schedule is not None:
                for group, lr in zip(optimizer.param_groups, self.base[i], strict=True):
                    group["lr"] = lr * factor
            calls = 0

            def closure(i: int = i) -> Tensor:
                nonlocal calls
                calls += 1
                loss, grad = (losses[i], grads[i]) if calls == 1 else self.again(i)
                clip = self.lanes[i].clip
                if clip is not None:
                    grad = grad * clip_scale(torch.linalg.vector_norm(grad), clip)
                for p, g in zip(self.parameters[i], self.layout.split(grad.unsqueeze(0)).values(), strict=True):
                    p.grad = g[0]
                return loss

            with torch.enable_grad():
                optimizer.step(closure)  # type: ignore[arg-type]
            if not bool(torch.isfinite(params[i]).all()):
                params[i] = before
                finite[i] = False
        return finite

    def state_dict(self) -> dict[str, Any]:
        return {str(i): o.state_dict() for i, o in enumerate(self.optimizers)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for i, o in enumerate(self.optimizers):
            o.load_state_dict(state[str(i)])

