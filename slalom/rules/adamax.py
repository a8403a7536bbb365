"""AdaMax: Adam whose second moment is the largest recent gradient, the limit of Lp-Adam for large p."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.ops import absolute, maximum, where
from slalom.core.rule import Choice, Hyper, State, rule


@rule(
    source="Kingma & Ba 2015, arXiv:1412.6980, Algorithm 2",
    differs=(
        "torch and optax: u = max(b2 u, |g| + eps). tf (Keras, TF1): eps added to the finished u. The paper has no eps (tf's "
        "form with eps 0), and a coordinate that has seen no gradient yet, 0/0 there, stays where it is."
    ),
    torch_name="Adamax",
    lr=Hyper(2e-3, r"\alpha", "learning rate", ge=0, by_convention={"tf": 1e-3}),
    b1=Hyper(0.9, r"\beta_1", "decay of the first moment", ge=0, lt=1, torch="betas[0]"),
    b2=Hyper(0.999, r"\beta_2", "decay of the largest gradient", ge=0, lt=1, torch="betas[1]"),
    eps=Hyper(1e-8, r"\epsilon", "keeps the denominator from 0", ge=0, by_convention={"paper": 0.0, "tf": 1e-7}),
    **weight_decay(),
    convention=Choice(("torch", "paper", "tf"), "eps inside the maximum (torch) or added to it (paper, tf)"),
    m=State("exp_avg"),
    u=State("exp_inf"),
)
def adamax(p, g, s, h, t):
    p, g = decayed(p, g, h, h.lr)
    m = h.b1 * s.m + (1 - h.b1) * g
    if h.convention == "torch":
        u = maximum(h.b2 * s.u, absolute(g) + h.eps)
        below = u
    else:
        u = maximum(h.b2 * s.u, absolute(g))
        below = where(u + h.eps > 0, u + h.eps, 1)
    p = p - h.lr / (1 - h.b1**t) * m / below
    return p, s._replace(m=m, u=u)
