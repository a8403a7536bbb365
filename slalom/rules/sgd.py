"""SGD: gradient descent, full-batch, mini-batch or stochastic, with momentum on request."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.ops import where
from slalom.core.rule import Hyper, State, rule, switch


@rule(
    source="Robbins & Monro 1951; momentum: Polyak 1964; Nesterov form: Sutskever et al. 2013, eq. 3-4",
    differs=(
        "As torch.optim.SGD: lr outside the velocity, first velocity equal to the gradient whatever the dampening. "
        "optax's trace starts from zero (the same unless dampening is used); Keras 3 puts lr inside the velocity. "
        "For the paper's forms see momentum and nag."
    ),
    torch_name="SGD",
    lr=Hyper(1e-3, r"\eta", "learning rate", ge=0),
    momentum=Hyper(0.0, r"\mu", "share of the velocity that is kept", ge=0, gate=True),
    dampening=Hyper(0.0, r"\tau", "share of the gradient that the velocity leaves out"),
    **weight_decay(),
    nesterov=switch(False, "step along the gradient plus the kept velocity", needs="momentum", excludes="dampening"),
    v=State("momentum_buffer", when="momentum"),
)
def sgd(p, g, s, h, t):
    v = s.v
    p, g = decayed(p, g, h, h.lr)
    if h.on.momentum:
        v = where(t == 1, g, h.momentum * s.v + (1 - h.dampening) * g)
        if h.nesterov:
            g = g + h.momentum * v
        else:
            g = v
    p = p - h.lr * g
    return p, s._replace(v=v)
