"""RMSprop: the gradient divided by a running root mean square of itself, or, centred, by its standard deviation."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.ops import maximum, sqrt
from slalom.core.rule import Choice, Hyper, State, rule, switch


# Centred: libraries subtract the squared mean from the mean square. In float32 that difference of near-equals is noise
# once gradients are steady (it turns 0 or negative, and the step explodes or is NaN). With m' = a m + (1-a) g the
# variance d = v - m^2 obeys, exactly, d' = a d + a (1-a) (g - m)^2: never negative, nothing cancels.
@rule(
    source="Tieleman & Hinton 2012, lecture 6.5; centred, with momentum: Graves 2013, arXiv:1308.0850, eq. 38-41",
    differs=(
        "torch: eps outside the root, lr outside the velocity. paper (Graves): both inside, with Graves's defaults. tf "
        "(TF1): both inside, mean square from 1 (Keras 3: from 0, eps 1e-7; optax: from 0, eps outside by choice). The "
        "centred variance is tracked in a form that is stable in float32, where every library subtracts two squares."
    ),
    torch_name="RMSprop",
    lr=Hyper(1e-2, r"\eta", "learning rate", ge=0, by_convention={"paper": 1e-4, "tf": 1e-3}),
    alpha=Hyper(0.99, r"\alpha", "decay of the averages", ge=0, le=1, by_convention={"paper": 0.95, "tf": 0.9}),
    eps=Hyper(1e-8, r"\epsilon", "keeps the denominator from 0", ge=0, by_convention={"paper": 1e-4, "tf": 1e-10}),
    **weight_decay(),
    momentum=Hyper(0.0, r"\mu", "share of the velocity that is kept", ge=0, gate=True, by_convention={"paper": 0.9}),
    initial_accumulator_value=Hyper(0.0, "v_0", "where the mean square starts", ge=0, by_convention={"tf": 1.0}),
    centered=switch(False, "divide by the gradient's standard deviation"),
    convention=Choice(("torch", "paper", "tf"), "eps and lr outside (torch) or inside (paper, tf)"),
    v=State("square_avg", fill="initial_accumulator_value"),
    m=State("grad_avg", when="centered"),
    d=State(symbol=r"\sigma^2", fill="initial_accumulator_value", when="centered", derived=lambda s: maximum(s.v - s.m**2, 0)),
    b=State("momentum_buffer", when="momentum"),
)
def rmsprop(p, g, s, h, t):
    p, g = decayed(p, g, h, h.lr)
    v = h.alpha * s.v + (1 - h.alpha) * g**2
    m = s.m
    d = s.d
    if h.centered:
        d = h.alpha * s.d + h.alpha * (1 - h.alpha) * (g - s.m) ** 2
        m = h.alpha * s.m + (1 - h.alpha) * g
        spread = d
    else:
        spread = v
    if h.convention == "torch":
        scaled = g / (sqrt(spread) + h.eps)
    else:
        scaled = g / sqrt(spread + h.eps)
    b = s.b
    if h.on.momentum:
        if h.convention == "torch":
            b = h.momentum * s.b + scaled
            p = p - h.lr * b
        else:
            b = h.momentum * s.b + h.lr * scaled
            p = p - b
    else:
        p = p - h.lr * scaled
    return p, s._replace(v=v, m=m, d=d, b=b)
