"""Lp-Adam: Adam that divides by a running Lp norm of the gradient; p = 2 is Adam with b2 squared, p to infinity AdaMax."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.ops import absolute, maximum, where
from slalom.core.rule import Hyper, State, rule


# The state is the norm u = v^(1/p), not v: |g|^32 leaves float32 already for |g| > 16. Dividing by the larger of u and
# |g| before the power, and multiplying after, changes nothing in exact arithmetic and keeps every power within [0, 1].
@rule(
    source="Kingma & Ba 2015, arXiv:1412.6980, section 7.1: v = b2^p v + (1 - b2^p) |g|^p, divided by v^(1/p)",
    differs=(
        "No library has it. The paper's form is unstable for large p; this one keeps the norm and rescales, which is the "
        "same number without the overflow. eps as in Adam (the paper's section has none)."
    ),
    lr=Hyper(1e-3, r"\alpha", "learning rate", ge=0),
    b1=Hyper(0.9, r"\beta_1", "decay of the first moment", ge=0, lt=1, torch="betas[0]"),
    b2=Hyper(0.999, r"\beta_2", "decay of the norm; its p-th power weighs the p-th powers", ge=0, lt=1, torch="betas[1]"),
    p=Hyper(4.0, "p", "order of the norm", ge=1),
    eps=Hyper(1e-8, r"\epsilon", "keeps the denominator from 0", ge=0),
    **weight_decay(),
    m=State("exp_avg"),
    u=State(),
)
def lp_adam(p, g, s, h, t):
    p, g = decayed(p, g, h, h.lr)
    m = h.b1 * s.m + (1 - h.b1) * g
    keep = h.b2**h.p
    top = maximum(s.u, absolute(g))
    top = where(top > 0, top, 1)
    u = top * (keep * (s.u / top) ** h.p + (1 - keep) * (absolute(g) / top) ** h.p) ** (1 / h.p)
    m_hat = m / (1 - h.b1**t)
    u_hat = u / (1 - keep**t) ** (1 / h.p)
    p = p - h.lr * m_hat / (u_hat + h.eps)
    return p, s._replace(m=m, u=u)
