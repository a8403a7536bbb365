"""What `Response` has to be given of a live optimizer: the rule, its settings and a parameter's state before the step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from slalom.core.errors import BadValueError
from slalom.core.rule import REGISTRY, Rule, Settings
from slalom.engines.optimizer import RuleOptimizer
from slalom.engines.response import Response
from slalom.engines.signature import arguments
from slalom.engines.state import checked, complete, values_of

Group = Mapping[str, Any]


def rule_of(optimizer: torch.optim.Optimizer) -> Rule:
    """The rule behind an optimizer of ours, or behind torch's class of the same numbers; an error for any other."""
    if isinstance(optimizer, RuleOptimizer):
        return optimizer.rule
    kind = type(optimizer)
    if kind.__module__.startswith("torch.optim"):
        for rule in REGISTRY.values():
            if rule.torch_name == kind.__name__:
                return rule
    raise BadValueError(
        f"a proximal penalty needs the step that a rule takes in each coordinate, and {kind.__module__}.{kind.__name__} tells "
        "none; take an optimizer of slalom.optim or its twin in torch.optim, or give the penalty method='subgradient'"
    )


def settings_of(optimizer: torch.optim.Optimizer, rule: Rule, group: Group) -> tuple[Settings, Mapping[str, Any]]:
    """The group's settings and values as its next step will take them."""
    if isinstance(optimizer, RuleOptimizer):
        return optimizer._settings_of(dict(group))
    told: dict[str, Any] = {}
    for a in arguments(rule):
        if a.name not in group:
            continue
        if a.names:
            told |= {k: float(v) for k, v in a.split(group[a.name]).items()}
        elif a.is_option:
            told[a.name] = group[a.name]
    settings = rule(**told)
    return settings, settings.values


def moves(optimizer: torch.optim.Optimizer, group: Group, p: Tensor, g: Tensor, response: Response, name: str) -> Tensor:
    """How far the step that is about to be taken moves each coordinate of p for an extra gradient of 1."""
    if g.layout != torch.strided or p.is_complex():
        raise BadValueError(f"a proximal penalty wants real weights with dense gradients; {name} is {p.dtype}, {g.layout}")
    settings, values = settings_of(optimizer, rule_of(optimizer), group)
    state: dict[str, Any] = dict(optimizer.state.get(p, {}))
    if not isinstance(optimizer, RuleOptimizer):
        state = dict(checked(state, settings, p, name))
    complete(state, settings, values, p, group.get("state_dtype"))
    wide = next((v.dtype for v in state.values() if v.dim() and v.dtype != p.dtype), p.dtype)
    wide = torch.float32 if wide in (torch.float16, torch.bfloat16) else wide
    s = values_of(settings.rule, state)
    s = s._replace(**{k: v.to(wide) for k in settings.states if (v := getattr(s, k)).dtype != wide and v.dim()})
    return response.moves(settings, p.detach().to(wide), g.detach().to(wide), s, float(state["step"]) + 1, values)
