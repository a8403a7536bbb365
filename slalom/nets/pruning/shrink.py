"""Structured pruning that really shrinks: units that are 0 leave, and the layers around them get smaller."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from slalom.core.errors import BadValueError
from slalom.nets.kinds import BATCH_NORMS, CONVOLUTIONS, DROPOUTS
from slalom.nets.pruning.prune import PRUNABLE, copyable, finish, prunable

POOLS = (
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AvgPool3d,
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
)


def shrink(model: nn.Sequential) -> nn.Sequential:
    """A copy of the chain without the units whose incoming weights and bias are 0; its outputs are the same in evaluation mode.

    `model`: an `nn.Sequential`, nested or not, of linear and convolution layers, batch normalisation, activations, pooling,
    dropout and flattening, as `prune(model, share, "units")` leaves it (masks are made permanent in the copy). What such a unit
    still adds - f(0) of its activation, the shift of its batch normalisation - goes into the next layer's bias; ahead of a padded
    convolution, whose border would tell, such units stay. Norms and PReLU slopes lose the unit's entry.
    Errors: `BadValueError` for what is no such chain.

    >>> from slalom.nets.pruning import prune
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> _ = prune(net, 0.5, "units")
    >>> shrink(net)[0]
    Linear(in_features=4, out_features=4, bias=True)
    """
    if not isinstance(model, nn.Sequential):
        raise BadValueError(
            f"shrink: the model must be an nn.Sequential, got {type(model).__name__}; prune keeps any model's size"
        )
    for m in prunable(model).values():
        copyable(m)
    made = copy.deepcopy(model)
    finish(made)
    chain = list(_leaves(made))
    weighted = [k for k, (_, m) in enumerate(chain) if isinstance(m, PRUNABLE)]
    for here, there in itertools.pairwise(weighted):
        _shrink_pair([m for _, m in chain[here : there + 1]])
    return made


def _leaves(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if type(module) is nn.Sequential:
        for name, child in module.named_children():
            yield from _leaves(child, f"{prefix}{name}.")
    else:
        yield prefix, module


@torch.no_grad()
def _shrink_pair(chain: list[Any]) -> None:
    """`chain`: a layer, what stands between, and the next layer."""
    first, *between, last = chain
    weight: torch.Tensor = first.weight
    units = weight.shape[0]
    gone = (weight.flatten(1) == 0).all(1)
    if first.bias is not None:
        gone &= first.bias == 0
    if not gone.any() or _grouped(first) or _grouped(last):
        return
    left = _constant(between, units, weight)
    if left is None:
        return
    if isinstance(last, CONVOLUTIONS) and (last.padding == "same" or (not isinstance(last.padding, str) and any(last.padding))):
        gone &= left == 0  # at the border a constant would be cut off by the padding's zeros
    keep = ~gone
    if not keep.any():
        keep[0] = True
    into: torch.Tensor = last.weight
    block = into.shape[1] // units  # positions an image's channel has once it is flattened
    columns = keep.repeat_interleave(block)
    added = (into.flatten(2).sum(2) if into.dim() > 2 else into).double() @ torch.where(keep, 0.0, left).repeat_interleave(block)
    if bool(added.any()):
        bias = torch.zeros(into.shape[0], dtype=into.dtype, device=into.device) if last.bias is None else last.bias
        last.bias = nn.Parameter((bias.double() + added).to(into.dtype))
    last.weight = nn.Parameter(into[:, columns].clone())
    _resize(first, keep)
    if isinstance(last, nn.Linear):
        last.in_features = last.weight.shape[1]
    else:
        last.in_channels = last.weight.shape[1]
    for m in between:
        if isinstance(m, BATCH_NORMS):
            m.num_features = int(keep.sum())
            for name in ("weight", "bias"):
                if getattr(m, name) is not None:
                    setattr(m, name, nn.Parameter(getattr(m, name)[keep].clone()))
            for name in ("running_mean", "running_var"):
                if getattr(m, name) is not None:
                    setattr(m, name, getattr(m, name)[keep].clone())
        elif isinstance(m, nn.PReLU) and m.weight.numel() > 1:
            m.weight = nn.Parameter(m.weight[keep].clone())
            m.num_parameters = m.weight.numel()


def _grouped(module: Any) -> bool:
    return isinstance(module, CONVOLUTIONS) and module.groups != 1


def _resize(first: Any, keep: torch.Tensor) -> None:
    first.weight = nn.Parameter(first.weight[keep].clone())
    if first.bias is not None:
        first.bias = nn.Parameter(first.bias[keep].clone())
    if isinstance(first, nn.Linear):
        first.out_features = int(keep.sum())
    else:
        first.out_channels = int(keep.sum())


def _constant(between: list[Any], units: int, like: torch.Tensor) -> torch.Tensor | None:
    """What a unit that gives 0 has become, unit by unit, ahead of the next layer; None where that is unknown."""
    value = torch.zeros(units, dtype=torch.float64, device=like.device)
    for m in between:
        if isinstance(m, BATCH_NORMS):
            if m.running_mean is None or m.running_var is None:
                return None
            value = (value - m.running_mean.double()) / torch.sqrt(m.running_var.double() + m.eps)
            if m.affine:
                value = value * m.weight.double() + m.bias.double()
        elif isinstance(m, (nn.Flatten, *DROPOUTS, *POOLS)):
            continue
        elif not list(m.parameters()) or isinstance(m, nn.PReLU):
            made = copy.deepcopy(m).double().eval()(value.reshape(1, -1))
            if made.shape != (1, units):
                return None
            value = made[0]
        else:
            return None
    return value
