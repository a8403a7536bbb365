"""Inputs that are not normalised: a frozen scaling layer before the model."""

from __future__ import annotations

import torch
from torch import Tensor

from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.fixes.rows import finite_rows
from slalom.doctor.fixes.wrappers import ScaledInputs, around
from slalom.doctor.setup import Setup

IMAGE = 4  # dimensions of [rows, channels, height, width]


def feature_scale(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each feature of `x`, shaped to subtract and divide; a constant feature's is 1.

    Features are the columns of a table `[n, features]`, the channels of images `[n, channels, h, w]`, the last axis of anything
    else `[n, time, features]`.
    """
    axes = (0, 2, 3) if x.dim() == IMAGE else tuple(range(max(1, x.dim() - 1)))
    exact = x.double()
    mean, sd = exact.mean(axes, keepdim=True)[0], exact.std(axes, keepdim=True, unbiased=False)[0]
    flat = sd <= 1e-12 * mean.abs().clamp_min(1e-300)
    return mean.to(x.dtype), torch.where(flat, torch.ones_like(sd), sd).to(x.dtype)


def _scaled(setup: Setup) -> Change | None:
    x = setup.train[0]
    if not x.is_floating_point() or x.dim() < 2:
        return None
    good = x[finite_rows(x)]
    if len(good) < 2:
        return None
    mean, sd = feature_scale(good)
    return Change(
        around(setup, lambda model: ScaledInputs(model, mean, sd)),
        "a layer before the model, not trained, that scales each feature to mean 0 and standard deviation 1 by the training part",
        "mean, sd = X.mean(0), X.std(0)\nX = (X - mean) / sd  # and the same mean and sd for validation and use",
    )


SCALED = Fix("scale inputs", "scale each feature to mean 0 and standard deviation 1", _scaled)
register("unnormalised_inputs", SCALED)
