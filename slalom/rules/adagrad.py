"""Adagrad: each coordinate's step shrinks with the sum of its squared gradients so far."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.rule import Choice, Hyper, State, rule


@rule(
    source="Duchi, Hazan & Singer 2011, Figure 1 (diagonal); exponent 1: Adagrad without the root",
    differs=(
        "torch and paper: eps (the paper's delta) outside the root; lr_decay is torch's own. tf (Keras, optax): eps 1e-7 "
        "inside the root, accumulator from 0.1; TF1 is tf with eps=0. Without the root the first step is lr / g, so "
        "start the accumulator above 0. A decoupled decay goes by lr itself, not by the lr that lr_decay has lowered."
    ),
    torch_name="Adagrad",
    lr=Hyper(1e-2, r"\eta", "learning rate", ge=0),
    lr_decay=Hyper(0.0, r"\delta", "divides lr by 1 + (t - 1) lr_decay", ge=0),
    **weight_decay(),
    initial_accumulator_value=Hyper(0.0, "G_0", "where the sum of squares starts", ge=0, by_convention={"tf": 0.1}),
    eps=Hyper(1e-10, r"\epsilon", "keeps the denominator from 0", ge=0, by_convention={"tf": 1e-7}),
    exponent=Hyper(0.5, r"\kappa", "power of the sum that divides: 0.5 is the root, 1 goes without it", ge=0),
    convention=Choice(("torch", "paper", "tf"), "eps outside the root (torch, paper) or inside (tf)"),
    G=State("sum", fill="initial_accumulator_value"),
)
def adagrad(p, g, s, h, t):
    p, g = decayed(p, g, h, h.lr)
    G = s.G + g**2
    eta = h.lr / (1 + (t - 1) * h.lr_decay)
    if h.convention == "tf":
        p = p - eta * g / (G + h.eps) ** h.exponent
    else:
        p = p - eta * g / (G**h.exponent + h.eps)
    return p, s._replace(G=G)
