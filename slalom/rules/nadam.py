"""NAdam: Adam with Nesterov's look-ahead on the first moment, under a momentum that grows with the step."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.ops import sqrt
from slalom.core.rule import Choice, Hyper, State, rule


@rule(
    source="Dozat 2016, Incorporating Nesterov momentum into Adam (ICLR workshop), Algorithm 2 and its schedule of mu",
    differs=(
        "paper: the first moment too is averaged with the momentum mu_t of the step; torch and tf (Keras 3) average it with "
        "b1. Keras's mu_t is 0.96^t (momentum_decay 1), eps 1e-7; optax and TF1 keep mu constant. The second moment "
        "is corrected as in Adam everywhere."
    ),
    torch_name="NAdam",
    lr=Hyper(2e-3, r"\alpha", "learning rate", ge=0, by_convention={"tf": 1e-3}),
    b1=Hyper(0.9, r"\beta_1", "final momentum, decay of the first moment", ge=0, lt=1, torch="betas[0]"),
    b2=Hyper(0.999, r"\beta_2", "decay of the second moment", ge=0, lt=1, torch="betas[1]"),
    eps=Hyper(1e-8, r"\epsilon", "keeps the denominator from 0", ge=0, by_convention={"tf": 1e-7}),
    **weight_decay(),
    momentum_decay=Hyper(4e-3, r"\psi", "speed of the momentum's growth", ge=0, by_convention={"tf": 1.0}),
    convention=Choice(("torch", "paper", "tf"), "whose numbers where sources differ"),
    m=State("exp_avg"),
    v=State("exp_avg_sq"),
    mu_product=State("mu_product", r"\Pi\mu", scalar=True, fill=1.0),
)
def nadam(p, g, s, h, t):
    p, g = decayed(p, g, h, h.lr)
    mu = h.b1 * (1 - 0.5 * 0.96 ** (t * h.momentum_decay))
    mu_next = h.b1 * (1 - 0.5 * 0.96 ** ((t + 1) * h.momentum_decay))
    mu_product = s.mu_product * mu
    if h.convention == "paper":
        m = mu * s.m + (1 - mu) * g
    else:
        m = h.b1 * s.m + (1 - h.b1) * g
    v = h.b2 * s.v + (1 - h.b2) * g**2
    m_hat = mu_next / (1 - mu_product * mu_next) * m + (1 - mu) / (1 - mu_product) * g
    v_hat = v / (1 - h.b2**t)
    p = p - h.lr * m_hat / (sqrt(v_hat) + h.eps)
    return p, s._replace(m=m, v=v, mu_product=mu_product)
