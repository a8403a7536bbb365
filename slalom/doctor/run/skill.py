"""How good a loss is: its share of what the best constant prediction loses, for any loss function."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from slalom.doctor.setup import LossFn, Pair

ROWS = 1024  # rows of a look, at most
CHUNK = 256
STEPS = 60


def outputs_of(model: nn.Module, x: Tensor) -> Any:
    """The model's outputs in evaluation mode, in chunks where they are tensors."""
    was = [(m, m.training) for m in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            parts = [model(part.clone()) for part in torch.split(x, CHUNK)]  # a model may change its input in place
    finally:
        for module, training in was:
            module.training = training
    return torch.cat(parts) if isinstance(parts[0], Tensor) else parts[0] if len(parts) == 1 else joined(parts)


def joined(parts: list[Any]) -> Any:
    """Outputs of chunks as those of all rows: tensors, and tuples, lists and dicts of them."""
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat(parts) if first.dim() else torch.stack(parts).mean()
    if isinstance(first, dict):
        return type(first)({k: joined([p[k] for p in parts]) for k in first})
    if isinstance(first, tuple | list):
        made = [joined([p[k] for p in parts]) for k in range(len(first))]
        return tuple(made) if isinstance(first, tuple) else made
    return first


def constant_loss(loss_fn: LossFn, like: Tensor, y: Tensor) -> float:
    """The least loss of one output for all rows, found by L-BFGS; NaN where there is none (a loss without a lower bound).

    `like`: outputs `[rows, ...]` for these targets. For cross-entropy it is the entropy of the class shares, for squared
    error the
    variance.

    >>> y = torch.tensor([0, 0, 0, 1])
    >>> round(constant_loss(nn.functional.cross_entropy, torch.zeros(4, 2), y), 4)
    0.5623
    """
    shape = (1, *like.shape[1:])
    start = torch.zeros(shape, dtype=like.dtype, device=like.device)
    if y.is_floating_point() and y.shape == like.shape:
        start = torch.nan_to_num(y.to(like.dtype).mean(0, keepdim=True))
    elif y.is_floating_point() and y.numel() == like.numel():
        start = start + float(torch.nan_to_num(y).mean())
    best = math.inf
    for first in (start, like.detach().mean(0, keepdim=True)):
        best = min(best, _descended(loss_fn, first, like, y))
    return best if math.isfinite(best) else math.nan


def _descended(loss_fn: LossFn, first: Tensor, like: Tensor, y: Tensor) -> float:
    constant = first.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([constant], lr=1.0, max_iter=STEPS, line_search_fn="strong_wolfe")

    def value() -> Tensor:
        return loss_fn(constant.expand(like.shape), y)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = value()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    try:
        with torch.enable_grad():
            before = float(value().detach())
            optimizer.step(closure)  # type: ignore[no-untyped-call]
            after = float(value().detach())
    except (RuntimeError, ValueError, IndexError):
        return math.inf
    found = [v for v in (before, after) if math.isfinite(v)]
    return min(found, default=math.inf)


@dataclass(frozen=True)
class Skill:
    """`of(loss)`: 1 for no loss, 0 for that of the best constant prediction, at least -1; -1 also for what is not finite."""

    constant: float

    def of(self, loss: float) -> float:
        if not math.isfinite(loss):
            return -1.0
        if not math.isfinite(self.constant) or self.constant <= 0:
            return 0.0
        return max(-1.0, 1.0 - loss / self.constant)


def sample(pair: Pair, rows: int = ROWS) -> Pair:
    """The same rows at every look, spread evenly."""
    x, y = pair
    if len(y) <= rows:
        return pair
    chosen = torch.linspace(0, len(y) - 1, rows).long()
    return x[chosen], y[chosen]


def right(outputs: Any, y: Tensor) -> float:
    """The share of rows whose class is the largest output's; of targets that are all 0 or 1, the share of those that the outputs
    are on the right side of (0 or a half, whichever is right more often). NaN where targets are not classes.
    """
    if not isinstance(outputs, Tensor) or not bool(torch.isfinite(outputs).all()):
        return math.nan
    if not y.is_floating_point() and outputs.dim() == y.dim() + 1:
        axis = 1 if outputs.shape[2:] == y.shape[1:] else -1
        chosen = outputs.argmax(axis)
        return float((chosen == y).double().mean()) if chosen.shape == y.shape else math.nan
    if outputs.shape == y.shape and outputs.is_floating_point() and bool(((y == 0) | (y == 1)).all() and y.any() and not y.all()):
        return max(float(((outputs > bound) == (y > 0)).double().mean()) for bound in (0.0, 0.5))
    return math.nan
