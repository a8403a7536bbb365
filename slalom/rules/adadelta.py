"""Adadelta: steps in the parameter's own units, the RMS of past steps over the RMS of gradients."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.ops import sqrt
from slalom.core.rule import Choice, Hyper, State, rule, switch


@rule(
    source="Zeiler 2012, arXiv:1212.5701, Algorithm 1; without correct_units: its section 3.1 with a running average",
    differs=(
        "The paper has no lr (lr = 1) and rho 0.95; torch, Keras, TF1 and optax multiply the finished step by lr and "
        "average the unscaled steps, lr_inside averages the steps as taken (Keras issue 11532). One formula, other "
        "defaults: tf is Keras's lr 0.001, rho 0.95, eps 1e-7 (TF1: eps 1e-8)."
    ),
    torch_name="Adadelta",
    lr=Hyper(1.0, r"\eta", "factor on the step", ge=0, by_convention={"tf": 1e-3}),
    rho=Hyper(0.9, r"\rho", "decay of both averages", ge=0, le=1, by_convention={"paper": 0.95, "tf": 0.95}),
    eps=Hyper(1e-6, r"\epsilon", "inside both roots; sets the first steps", ge=0, by_convention={"tf": 1e-7}),
    **weight_decay(),
    correct_units=switch(True, "multiply by the RMS of past steps; without it lr alone sets the step (first form)"),
    lr_inside=switch(False, "the average of steps includes lr", needs="correct_units"),
    convention=Choice(("torch", "paper", "tf"), "whose defaults"),
    v=State("square_avg", r"E[g^2]"),
    u=State("acc_delta", r"E[\Delta^2]", when="correct_units"),
)
def adadelta(p, g, s, h, t):
    p, g = decayed(p, g, h, h.lr)
    v = h.rho * s.v + (1 - h.rho) * g**2
    u = s.u
    if h.correct_units:
        delta = sqrt(s.u + h.eps) / sqrt(v + h.eps) * g
        if h.lr_inside:
            u = h.rho * s.u + (1 - h.rho) * (h.lr * delta) ** 2
        else:
            u = h.rho * s.u + (1 - h.rho) * delta**2
    else:
        delta = g / sqrt(v + h.eps)
    p = p - h.lr * delta
    return p, s._replace(v=v, u=u)
