"""RAdam: Adam that goes without the second moment until enough steps have made its variance finite."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.ops import sqrt, where
from slalom.core.rule import Choice, Hyper, State, rule


@rule(
    source="Liu et al. 2020, arXiv:1908.03265, Algorithm 2",
    differs=(
        "torch: the rectified step begins above rho 5, eps before the bias correction. optax: from rho 5 on, eps after it. "
        "paper: above rho 4, no eps (here eps after the correction, 0 by default; a coordinate without a gradient yet, 0/0 "
        "in the paper, stays where it is)."
    ),
    torch_name="RAdam",
    lr=Hyper(1e-3, r"\alpha", "learning rate", ge=0),
    b1=Hyper(0.9, r"\beta_1", "decay of the first moment", ge=0, lt=1, torch="betas[0]"),
    b2=Hyper(0.999, r"\beta_2", "decay of the second moment", ge=0, lt=1, torch="betas[1]"),
    eps=Hyper(1e-8, r"\epsilon", "keeps the denominator from 0", ge=0, by_convention={"paper": 0.0}),
    **weight_decay(),
    convention=Choice(("torch", "paper"), "threshold on rho 5 (torch) or 4 (paper), and the place of eps"),
    m=State("exp_avg"),
    v=State("exp_avg_sq"),
)
def radam(p, g, s, h, t):
    p, g = decayed(p, g, h, h.lr)
    m = h.b1 * s.m + (1 - h.b1) * g
    v = h.b2 * s.v + (1 - h.b2) * g**2
    if h.convention == "paper":
        enough = 4
        root = sqrt(v / (1 - h.b2**t)) + h.eps
        inverse = 1 / where(root > 0, root, 1)
    else:
        enough = 5
        inverse = sqrt(1 - h.b2**t) / (sqrt(v) + h.eps)
    rho_inf = 2 / (1 - h.b2) - 1
    rho = rho_inf - 2 * t * h.b2**t / (1 - h.b2**t)
    # Below the threshold r is not used: there 5 and 5 stand in, which make it 1, where the formula would divide by 0.
    now = where(rho > enough, rho, 5)
    last = where(rho > enough, rho_inf, 5)
    r = sqrt((now - 4) * (now - 2) * last / ((last - 4) * (last - 2) * now))
    p = p - h.lr / (1 - h.b1**t) * m * where(rho > enough, r * inverse, 1)
    return p, s._replace(m=m, v=v)
