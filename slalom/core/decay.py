"""Weight decay, written once for every rule: an L2 penalty on the gradient (coupled), or a shrinking of the weights (decoupled).

A rule declares it with `**weight_decay()` and applies it with the line `p, g = decayed(p, g, h, h.lr)`.
"""

from __future__ import annotations

from typing import Any

from slalom.core.rule import Hyper, switch


def weight_decay(default: float = 0.0, *, decoupled: bool = False, **by_convention: float) -> dict[str, Any]:
    """The declarations of `weight_decay`, with this default, and of the switch `decoupled_weight_decay`.

    `by_convention`: defaults that differ under a convention.

    >>> sorted(weight_decay(0.01, decoupled=True))
    ['decoupled_weight_decay', 'weight_decay']
    """
    doc = "L2 penalty added to the gradient, or, decoupled, the share of the weights that goes"
    shrink = "shrink the weights by lr times weight_decay (as AdamW) instead of adding it to the gradient"
    return {
        "weight_decay": Hyper(default, r"\lambda", doc, ge=0, gate=True, by_convention=by_convention),
        "decoupled_weight_decay": switch(decoupled, shrink, only_with="weight_decay"),
    }


def decayed(p: Any, g: Any, h: Any, rate: Any) -> Any:
    """Parameter and gradient after the decay, which comes before all else in a step; `rate` scales the decoupled one."""
    if h.on.weight_decay:
        if h.decoupled_weight_decay:
            p = p * (1 - rate * h.weight_decay)
        else:
            g = g + h.weight_decay * p
    return p, g
