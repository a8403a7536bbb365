"""Drawing one layer's weights: what keeps the variance, given what feeds the layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from slalom.nets.initialisation.feeds import Feed
from slalom.nets.kinds import CONVOLUTIONS

CENTRE_FROM = 16  # inputs a unit; with fewer, rows that sum to 0 would lose too many directions
NEGLIGIBLE_MEAN = 1e-6


@dataclass(frozen=True)
class Drawn:
    """How a layer was drawn: `std` of its weights, `gain`, whether its rows sum to 0."""

    std: float
    gain: float
    centred: bool


def fans(weight: torch.Tensor, module: nn.Module) -> tuple[int, int]:
    """Inputs of a unit, and units that an input reaches: `[out, in, *kernel]`, groups counted."""
    receptive = math.prod(weight.shape[2:])
    groups = module.groups if isinstance(module, CONVOLUTIONS) else 1
    return weight.shape[1] * receptive, weight.shape[0] // groups * receptive


def draw(
    weight: torch.Tensor, module: nn.Module, feed: Feed, method: str, centre: bool, generator: torch.Generator | None, pieces: int
) -> Drawn:
    """Fills `weight` in place."""
    fan_in, fan_out = fans(weight, module)
    m = feed.moments
    if method == "fan_out":
        gain = m.backward_gain
        std = gain / math.sqrt(fan_out / pieces)  # of a Maxout's pieces one passes the gradient
        weight.normal_(0, std, generator=generator)
        return Drawn(std, gain, False)
    centred = centre and abs(m.mean) > NEGLIGIBLE_MEAN and fan_in >= CENTRE_FROM
    gain = m.centred_gain if centred else m.gain
    rows = weight.reshape(weight.shape[0], -1).clone()
    if method == "fan_in":
        rows.normal_(0, 1, generator=generator)
    else:
        nn.init.orthogonal_(rows, generator=generator)
    if centred:
        rows -= rows.mean(1, keepdim=True)
    if centred or method != "fan_in":
        rows /= rows.square().mean(1, keepdim=True).sqrt()  # every unit the same variance
    weight.copy_((rows * (gain / math.sqrt(fan_in))).reshape(weight.shape))
    return Drawn(gain / math.sqrt(fan_in), gain, centred)
