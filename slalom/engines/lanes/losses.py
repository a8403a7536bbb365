"""Losses and metrics over lanes: `outputs [lanes, batch, ...]`, targets `[batch, ...]` or `[lanes, batch, ...]` -> `[lanes]`."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from slalom.core.errors import BadValueError, unknown_name

Loss = Callable[[Tensor, Tensor], Tensor]  # of one lane: outputs, targets -> a number


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of logits `[..., classes]` against class numbers."""
    if outputs.dim() < 3:
        return F.cross_entropy(outputs, targets, reduction="none")
    # Softmax along an axis that is not the last runs on vectors of samples, five times as fast for ten classes.
    return F.cross_entropy(outputs.movedim(-1, 1), targets, reduction="none").flatten(1).mean(1)


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error."""
    return (outputs - targets).square().flatten(1).mean(1)


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "mse": mse}


def lane_loss(loss: str | Loss) -> Callable[[Tensor, Tensor, bool], Tensor]:
    """`f(outputs, targets, per_lane)` for a named loss, or for any loss of one lane (batched by `torch.vmap`)."""
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise unknown_name("loss", loss, LOSSES)
        known = LOSSES[loss]

        def run(outputs: Tensor, targets: Tensor, per_lane: bool) -> Tensor:
            return known(outputs, targets if per_lane else targets.expand(len(outputs), *targets.shape))

        return run
    if not callable(loss):
        raise BadValueError(f"loss must be one of {', '.join(LOSSES)} or a callable(outputs, targets), got {loss!r}")
    return lambda outputs, targets, per_lane: torch.vmap(loss, in_dims=(0, 0 if per_lane else None))(outputs, targets)


def one_loss(loss: str | Loss) -> Loss:
    """The same loss for one lane: outputs and targets without a lane axis."""
    if isinstance(loss, str):
        over_lanes = lane_loss(loss)
        return lambda outputs, targets: over_lanes(outputs.unsqueeze(0), targets.unsqueeze(0), True)[0]
    lane_loss(loss)
    return loss
