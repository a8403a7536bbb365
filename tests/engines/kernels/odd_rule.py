"""A rule that nobody would train with: the corners of the language that the real rules do not turn."""

from __future__ import annotations

from typing import Any

from slalom.core.ops import absolute, exp, maximum, minimum, sign, sqrt, where
from slalom.core.rule import REGISTRY, Hyper, State, rule


@rule(
    source="a test",
    lr=Hyper(0.1, r"\eta", ge=0),
    q=Hyper(1.7, "q", ge=0),
    m=State(),
    r=State(fill="q"),
    k=State(scalar=True, fill=2.0),
    idle=State(fill=3.0),
)
def odd(p: Any, g: Any, s: Any, h: Any, t: Any) -> Any:
    """Corners."""
    first = where(t > 1, 1 / (t - 0.5), 0.25)
    k = s.k / (1 + s.k * h.lr) - (h.lr - 0.5)
    a = absolute(s.m) + 1.5
    m = g / (a / (h.q * p)) - (s.r - (a - g) * 0.5) * first
    b = minimum(maximum(m, -2), 2.5) ** 3 - -g
    c = a**-0.5 + a**h.q + h.q**a / 64 + 2 ** (1 / a) - a**1.3 + a ** (h.q * 1.0) + (a**4) ** 0.25
    d = where(absolute(g) <= s.m, c, b) * exp(-absolute(b)) + k * sign(g)
    return p - h.lr * d / sqrt(a) / (1 + a), s._replace(m=m * 0.1, r=minimum(c, 3), k=k)


del REGISTRY["odd"]  # it is nobody's choice in the other tests
