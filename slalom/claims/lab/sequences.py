"""An optimizer fed a given row of gradients: what identities and closed forms are checked on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def follow(
    make: Callable[[list[Any]], torch.optim.Optimizer], gradients: Tensor, start: Sequence[float] | None = None
) -> tuple[Tensor, torch.optim.Optimizer]:
    """Positions `[steps + 1, d]` of a parameter that is given `gradients [steps, d]`, whatever it does; and the optimizer."""
    begin = (
        torch.zeros(gradients.shape[1], dtype=gradients.dtype) if start is None else torch.tensor(start, dtype=gradients.dtype)
    )
    p = torch.nn.Parameter(begin)
    optimizer = make([p])
    path = [p.detach().clone()]
    for g in gradients:
        p.grad = g.clone()
        optimizer.step()
        path.append(p.detach().clone())
    return torch.stack(path), optimizer


def random_gradients(steps: int = 200, d: int = 16, seed: int = 0) -> Tensor:
    """Normal gradients of scales from 1e-3 to 1e3, float64."""
    g = torch.Generator().manual_seed(seed)
    scale = torch.logspace(-3, 3, d, dtype=torch.float64)
    return torch.randn(steps, d, generator=g, dtype=torch.float64) * scale


def apart(a: Tensor, b: Tensor) -> float:
    """The largest difference, relative to the largest value."""
    return float((a - b).abs().max() / b.abs().max())
