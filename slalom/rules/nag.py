"""Nesterov's accelerated gradient: momentum whose gradient is taken where the velocity is about to lead."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.rule import Choice, Hyper, State, rule


# The paper moves theta and takes the gradient at the look-ahead point phi = theta + mu v. A rule sees the gradient at p
# alone, so p is phi, in every convention: from v' = mu v - lr g(phi) and theta' = theta + v' follows, exactly,
# phi' = theta' + mu v' = phi + mu v' - lr g(phi). The paper's theta is p - mu v (paper, tf) or p + lr mu v (torch).
@rule(
    source="Nesterov 1983; Sutskever et al. 2013, eq. 3-4, in the variables of Bengio et al. 2012, arXiv:1212.0901",
    differs=(
        "The parameter is the paper's look-ahead point theta + mu v everywhere, as in torch, optax, Keras and TF1; the paper "
        "reports theta, which is p - mu v. paper, and tf as Keras has it: lr inside the velocity, the true look-ahead step "
        "under any lr. torch, and TF1: lr outside, the same path while lr is constant. Decay is of the look-ahead point."
    ),
    lr=Hyper(1e-3, r"\eta", "learning rate", ge=0),
    momentum=Hyper(0.9, r"\mu", "share of the velocity that is kept", ge=0, le=1),
    **weight_decay(),
    convention=Choice(("torch", "paper", "tf"), "lr outside the velocity (torch) or inside (paper, tf)"),
    v=State("momentum_buffer"),
)
def nag(p, g, s, h, t):
    p, g = decayed(p, g, h, h.lr)
    if h.convention == "torch":
        v = h.momentum * s.v + g
        p = p - h.lr * (g + h.momentum * v)
    else:
        v = h.momentum * s.v - h.lr * g
        p = p + h.momentum * v - h.lr * g
    return p, s._replace(v=v)
