"""Momentum (heavy ball): the step follows a velocity that remembers past gradients."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.ops import where
from slalom.core.rule import Choice, Hyper, State, rule


@rule(
    source="Polyak 1964; Sutskever et al. 2013, eq. 1-2",
    differs=(
        "torch: lr outside the velocity, first velocity equal to the gradient whatever the dampening. paper and Keras 3: "
        "lr inside, v = mu v - lr g, so a lowered lr takes effect on new gradients only. tf (TF1): lr outside, velocity "
        "from zero; optax likewise. At a constant lr without dampening all trace the same path."
    ),
    lr=Hyper(1e-3, r"\eta", "learning rate", ge=0),
    momentum=Hyper(0.9, r"\mu", "share of the velocity that is kept", ge=0, le=1),
    dampening=Hyper(0.0, r"\tau", "share of the gradient that the velocity leaves out"),
    **weight_decay(),
    convention=Choice(("torch", "paper", "tf"), "lr outside the velocity (torch, tf) or inside (paper)"),
    v=State("momentum_buffer"),
)
def momentum(p, g, s, h, t):
    p, g = decayed(p, g, h, h.lr)
    if h.convention == "paper":
        v = h.momentum * s.v - h.lr * (1 - h.dampening) * g
        p = p + v
    else:
        if h.convention == "torch":
            v = where(t == 1, g, h.momentum * s.v + (1 - h.dampening) * g)
        else:
            v = h.momentum * s.v + (1 - h.dampening) * g
        p = p - h.lr * v
    return p, s._replace(v=v)
