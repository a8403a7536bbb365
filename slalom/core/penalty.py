"""A penalty on weights, as numbers: how much of L1 and of L2, on which parameters, and what it does to a tensor."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from slalom.core.checks import number
from slalom.core.errors import BadValueError
from slalom.core.spared import why_spared

Method = Literal["proximal", "subgradient"]
METHODS = ("proximal", "subgradient")


@dataclass(frozen=True)
class Penalty:
    """`l1 * sum |w| + l2 / 2 * sum w**2`, over all parameters but biases, norms and PReLU slopes, or over `params`.

    `l1`, `l2`: numbers >= 0. `method`: how the L1 part acts. `proximal`: weights are soft-thresholded after each step, which
    gives exact zeros; `subgradient`: its sign is added to the gradient, which gives none (claim R1). The L2 part is always
    part of the gradient. `params`: names or patterns (`"0.*"`) of the parameters instead; each must match one.
    Calling it gives the penalty of a model as a tensor, to report or to add to a loss.

    >>> net = nn.Sequential(nn.Linear(2, 1))
    >>> _ = nn.init.constant_(net[0].weight, -2.0)
    >>> Penalty(l1=0.5, l2=1.0)(net).item()
    6.0
    """

    l1: float = 0.0
    l2: float = 0.0
    method: Method = "proximal"
    params: Sequence[str] | None = None

    def __post_init__(self) -> None:
        for name, value in (("l1", self.l1), ("l2", self.l2)):
            number(value, f"penalty: {name}", "[0, inf)")
        if self.method not in METHODS:
            raise BadValueError(f"penalty: method must be one of {', '.join(map(repr, METHODS))}, got {self.method!r}")
        if isinstance(self.params, str):
            object.__setattr__(self, "params", (self.params,))

    @property
    def thresholds(self) -> bool:
        """Whether weights are soft-thresholded after a step."""
        return self.l1 > 0 and self.method == "proximal"

    def chosen(self, model: nn.Module) -> dict[str, nn.Parameter]:
        """The parameters it acts on, by name; a tensor used twice once, and spared if one of its uses is."""
        named = list(model.named_parameters(remove_duplicate=False))
        if self.params is not None:
            for pattern in self.params:
                if not any(fnmatch.fnmatchcase(name, pattern) for name, _ in named):
                    raise BadValueError(
                        f"penalty: no parameter of {type(model).__name__} is named {pattern!r}; it has "
                        f"{', '.join(name for name, _ in named) or 'none'}"
                    )
            found = {n: p for n, p in named if any(fnmatch.fnmatchcase(n, pattern) for pattern in self.params)}
        else:
            spared = {p for n, p in named if why_spared(model, n)}
            found = {n: p for n, p in named if p not in spared}
        first: dict[nn.Parameter, str] = {}
        for name, p in found.items():
            if p.requires_grad:
                first.setdefault(p, name)
        if not first:
            raise BadValueError(f"penalty: {type(model).__name__} has no parameter to penalise; name some by params=[...]")
        return {name: p for p, name in first.items()}

    def __call__(self, model: nn.Module) -> Tensor:
        """The penalty of the model's weights, differentiable."""
        weights = self.chosen(model).values()
        return torch.stack([self.l1 * w.abs().sum() + self.l2 / 2 * w.square().sum() for w in weights]).sum()

    def gradient(self, p: Tensor) -> Tensor | None:
        """What it adds to the gradient of p; None for nothing."""
        made = self.l2 * p if self.l2 else None
        if self.l1 and self.method == "subgradient":
            made = self.l1 * p.sign() if made is None else made + self.l1 * p.sign()
        return made

    def shrink(self, p: Tensor, moves: Any) -> None:
        """Soft-thresholds p in place; `moves`: how far the step carries a coordinate for an extra gradient of 1."""
        threshold = torch.as_tensor(self.l1 * moves, dtype=p.dtype, device=p.device).clamp(min=0)
        p.sub_(torch.minimum(torch.maximum(p, -threshold), threshold))
