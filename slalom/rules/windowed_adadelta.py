"""Windowed Adadelta: Adagrad that sums the squares of the last few gradients instead of all of them."""

from slalom.core.decay import decayed, weight_decay
from slalom.core.ops import push, sqrt, total
from slalom.core.rule import Count, Hyper, State, rule


@rule(
    source="Zeiler 2012, arXiv:1212.5701, section 3.1, the window that the running average of Algorithm 1 stands in for",
    differs=(
        "No library has it: it keeps w copies of the parameter, which is why Zeiler averages. The sum, as in Adagrad, not "
        "the mean; eps inside the root as in the paper's RMS (eq. 9). Here for comparison."
    ),
    lr=Hyper(1e-2, r"\eta", "learning rate", ge=0),
    eps=Hyper(1e-6, r"\epsilon", "inside the root", ge=0),
    **weight_decay(),
    w=Count(10, "w", "how many gradients are remembered"),
    G=State(symbol="G", window="w"),
)
def windowed_adadelta(p, g, s, h, t):
    p, g = decayed(p, g, h, h.lr)
    G = push(s.G, g**2)
    p = p - h.lr * g / sqrt(total(G) + h.eps)
    return p, s._replace(G=G)
