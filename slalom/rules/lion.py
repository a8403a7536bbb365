"""Lion: the sign of a blend of momentum and gradient, so that every coordinate moves by the same amount."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.ops import sign
from slalom.core.rule import Hyper, State, rule


@rule(
    source="Chen et al. 2023, arXiv:2302.06675, Algorithm 2",
    differs=(
        "torch.optim has none. optax and Keras 3 take the same step (optax decays by 0.001 unless told otherwise); decay is "
        "times lr, off by default here. No library couples it: here the penalty joins the gradient before the blend, so that "
        "it turns signs and no more, and a coordinate without a gradient still moves by lr."
    ),
    lr=Hyper(1e-4, r"\eta", "learning rate: how far every coordinate moves", ge=0),
    b1=Hyper(0.9, r"\beta_1", "weight of the momentum in the step", ge=0, lt=1, torch="betas[0]"),
    b2=Hyper(0.99, r"\beta_2", "decay of the momentum", ge=0, lt=1, torch="betas[1]"),
    **weight_decay(decoupled=True),
    m=State("exp_avg"),
)
def lion(p, g, s, h, t):
    p, g = decayed(p, g, h, h.lr)
    p = p - h.lr * sign(h.b1 * s.m + (1 - h.b1) * g)
    m = h.b2 * s.m + (1 - h.b2) * g
    return p, s._replace(m=m)
