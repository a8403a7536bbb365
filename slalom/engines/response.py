"""How far a rule moves a coordinate for one more unit of gradient: its own step size, after momentum and scaling.

A proximal step needs it. With SGD an L1 penalty of strength s thresholds at lr s; with momentum at lr s / (1 - momentum) in
the long run; with Adam each coordinate at its own lr s / (sqrt(v) + eps): a threshold of lr s there has its fixed point
elsewhere than the penalised problem (Yun, Lozano & Yang 2020, A General Family of Stochastic Proximal Gradient Methods for
Deep Learning, "ProxGen"). No formula is written here: the rule itself is run on tensors that carry a tangent, the part of
a number that a constant extra gradient of 1 has made. It goes through what is odd in the gradient (directions: g, momenta)
and not through what is even in it (scales: g**2, |g|), which is the rule with its preconditioner held. A rule that makes
anything else of its gradient, such as a sign, has no such step and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from slalom.core.errors import BadValueError
from slalom.core.rule import Settings
from slalom.engines.inside import plain_functions

Tangent = Any  # a float where all coordinates share it, else a tensor; None for nothing
_NO_STEP = "has no step in proportion to its gradient"


class _Carrier(Tensor):
    """A tensor with a tangent; what comes of it without one is a plain tensor."""

    tangent: Tangent

    @staticmethod
    def of(value: Tensor, tangent: Tangent) -> Tensor:
        if tangent is None:
            return value
        made: _Carrier = Tensor._make_subclass(_Carrier, value)
        made.tangent = tangent
        return made

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        plain = [_value(a) for a in args]
        with plain_functions():
            out = func(*plain, **(kwargs or {}))
        if not isinstance(out, Tensor) or not out.is_floating_point():
            return out
        return cls.of(out, _tangent(func.__name__.strip("_"), plain, [getattr(a, "tangent", None) for a in args]))


def _value(a: Any) -> Any:
    if isinstance(a, _Carrier):
        with plain_functions():
            return a.as_subclass(Tensor)
    return a


def _plus(a: Tangent, b: Tangent) -> Tangent:
    return b if a is None else a if b is None else a + b


def _tangent(name: str, values: list[Any], tangents: list[Tangent]) -> Tangent:
    a, b = (*tangents, None, None)[:2]
    if name in ("rsub", "rdiv", "rtruediv", "rpow"):
        name, values, (a, b) = name[1:], values[::-1], (b, a)
    if name in ("add", "radd"):
        return _plus(a, b)
    if name == "sub":
        return _plus(a, None if b is None else -b)
    if name in ("mul", "rmul"):
        if a is not None and b is not None:
            return None  # even
        return a * values[1] if a is not None else b * values[0]
    if name in ("div", "truediv") and b is None:
        return a / values[1]
    if name == "neg":
        return -a
    if name == "pow" and b is None and isinstance(values[1], int | float) and values[1] % 2 == 0:
        return None
    if name in ("abs", "absolute"):
        return None
    if name == "where":
        yes, no = (0.0 if x is None else x for x in tangents[1:3])
        if values[0].dim() == 0:
            return yes if values[0] else no
        return torch.where(values[0], torch.as_tensor(yes).to(values[1]), torch.as_tensor(no).to(values[1]))
    if name in ("to", "clone", "detach"):
        return a
    raise BadValueError(_NO_STEP)


def must_respond(settings: Settings) -> None:
    """BadValueError for a rule that has no step in proportion to its gradient.

    >>> from slalom.rules import adam
    >>> must_respond(adam())
    """
    p = torch.ones(1)
    Response().moves(settings, p, p, settings.init(p), 1.0)


class Response:
    """Follows one parameter: `moves()` before each step of the rule, with what the step is about to be given.

    `tangents`: of the states, by name; what has to be kept to go on.
    """

    def __init__(self) -> None:
        self.tangents: dict[str, Tangent] = {}

    def moves(self, settings: Settings, p: Tensor, g: Tensor, s: Any, t: Any, values: Any = None) -> Tensor:
        """How far this step moves p against a constant extra gradient of 1, by coordinate: shaped like p, or a single number.

        Raises BadValueError for a rule that has no such step.
        """
        carried = {k: _Carrier.of(getattr(s, k), self.tangents.get(k)) for k in settings.states}
        try:
            new_p, new_s = settings.step(p, _Carrier.of(g, 1.0), s._replace(**carried), t, values)
        except BadValueError as error:
            if _NO_STEP not in str(error):
                raise
            raise BadValueError(
                f"{settings.rule.name} {_NO_STEP}, so a proximal penalty has no right threshold under it; give the penalty "
                "method='subgradient', or take another rule"
            ) from None
        self.tangents = {k: v for k in settings.states if (v := getattr(getattr(new_s, k), "tangent", None)) is not None}
        moved = getattr(new_p, "tangent", None)
        return torch.zeros((), dtype=p.dtype) if moved is None else -torch.as_tensor(moved, dtype=p.dtype, device=p.device)

    def state_dict(self) -> dict[str, Tensor]:
        """The tangents as tensors."""
        return {k: v if isinstance(v, Tensor) else torch.tensor(v, dtype=torch.float64) for k, v in self.tangents.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from a `state_dict()`."""
        self.tangents = {k: v.clone() if v.dim() else float(v) for k, v in state.items()}
