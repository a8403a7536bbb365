"""AdamW: Adam whose decay shrinks the weights themselves and stays out of the gradient and its moments."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.ops import maximum, sqrt
from slalom.core.rule import Choice, Hyper, State, rule, switch


@rule(
    source="Loshchilov & Hutter 2019, arXiv:1711.05101, Algorithm 2",
    differs=(
        "torch, optax, Keras: decay times lr. paper: decay times the schedule's factor alone, so tuning lr leaves the decay as "
        "it is (TF1 contrib: decay alone). tf (Keras): torch's decay, 0.004, on Keras's Adam (epsilon-hat form, eps 1e-7). "
        "With decoupled_weight_decay off it is adam."
    ),
    torch_name="AdamW",
    lr=Hyper(1e-3, r"\alpha", "learning rate, the schedule's factor included", ge=0),
    b1=Hyper(0.9, r"\beta_1", "decay of the first moment", ge=0, lt=1, torch="betas[0]"),
    b2=Hyper(0.999, r"\beta_2", "decay of the second moment", ge=0, lt=1, torch="betas[1]"),
    eps=Hyper(1e-8, r"\epsilon", "keeps the denominator from 0", ge=0, by_convention={"tf": 1e-7}),
    **weight_decay(1e-2, decoupled=True, tf=4e-3),
    schedule=Hyper(1.0, r"\eta_t", "the schedule's factor at this step (engines set it); scales paper's decay", ge=0),
    amsgrad=switch(False, "divide by the largest second moment so far"),
    convention=Choice(("torch", "paper", "tf"), "decay times lr (torch, tf) or times the schedule (paper)"),
    m=State("exp_avg"),
    v=State("exp_avg_sq"),
    u=State("max_exp_avg_sq", r"\hat v^{\max}", when="amsgrad"),
)
def adamw(p, g, s, h, t):
    if h.convention == "paper":
        rate = h.schedule
    else:
        rate = h.lr
    p, g = decayed(p, g, h, rate)
    m = h.b1 * s.m + (1 - h.b1) * g
    v = h.b2 * s.v + (1 - h.b2) * g**2
    u = s.u
    if h.amsgrad:
        u = maximum(s.u, v)
        seen = u
    else:
        seen = v
    if h.convention == "tf":
        p = p - h.lr * sqrt(1 - h.b2**t) / (1 - h.b1**t) * m / (sqrt(seen) + h.eps)
    else:
        m_hat = m / (1 - h.b1**t)
        v_hat = seen / (1 - h.b2**t)
        p = p - h.lr * m_hat / (sqrt(v_hat) + h.eps)
    return p, s._replace(m=m, v=v, u=u)
