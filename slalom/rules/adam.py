"""Adam: steps scaled by running estimates of the gradient's first and second moments."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.ops import maximum, sqrt
from slalom.core.rule import Choice, Hyper, State, rule, switch


@rule(
    source="Kingma & Ba 2015, arXiv:1412.6980, Algorithm 1; AMSGrad: Reddi, Kale & Kumar 2018, Algorithm 2",
    differs=(
        "torch, optax: Algorithm 1, eps outside the root after bias correction. tf (TF1, Keras): the paper's epsilon-hat form, "
        "eps 1e-7 added to the uncorrected root. AMSGrad: torch takes the maximum of the raw second moment, then corrects it; "
        "optax takes the maximum of the corrected one; the paper corrects nothing."
    ),
    torch_name="Adam",
    lr=Hyper(1e-3, r"\alpha", "learning rate", ge=0),
    b1=Hyper(0.9, r"\beta_1", "decay of the first moment", ge=0, lt=1, torch="betas[0]"),
    b2=Hyper(0.999, r"\beta_2", "decay of the second moment", ge=0, lt=1, torch="betas[1]"),
    eps=Hyper(1e-8, r"\epsilon", "keeps the denominator from 0", ge=0, by_convention={"tf": 1e-7}),
    **weight_decay(),
    amsgrad=switch(False, "divide by the largest second moment so far"),
    bias_correction=switch(True, "undo the moments' start at zero"),
    convention=Choice(("torch", "paper", "tf"), "whose numbers where sources differ"),
    m=State("exp_avg"),
    v=State("exp_avg_sq"),
    u=State("max_exp_avg_sq", r"\hat v^{\max}", when="amsgrad"),
)
def adam(p, g, s, h, t):
    p, g = decayed(p, g, h, h.lr)
    m = h.b1 * s.m + (1 - h.b1) * g
    v = h.b2 * s.v + (1 - h.b2) * g**2
    u = s.u
    if h.amsgrad:
        u = maximum(s.u, v)
        seen = u
    else:
        seen = v
    if not h.bias_correction or (h.convention == "paper" and h.amsgrad):
        p = p - h.lr * m / (sqrt(seen) + h.eps)
    elif h.convention == "tf":
        p = p - h.lr * sqrt(1 - h.b2**t) / (1 - h.b1**t) * m / (sqrt(seen) + h.eps)
    else:
        m_hat = m / (1 - h.b1**t)
        v_hat = seen / (1 - h.b2**t)
        p = p - h.lr * m_hat / (sqrt(v_hat) + h.eps)
    return p, s._replace(m=m, v=v, u=u)
