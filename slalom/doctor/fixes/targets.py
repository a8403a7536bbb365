"""Targets far from 1 in scale: trained on scaled ones, while the model answers in the original units."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.fixes.rows import finite_rows
from slalom.doctor.fixes.wrappers import UnscaledOutputs, around
from slalom.doctor.setup import LossFn, Setup


class ScaledLoss:
    """A loss of outputs and targets, both scaled; outputs in the targets' units come back from the model unscaled."""

    def __init__(self, loss_fn: LossFn, mean: Tensor, sd: Tensor) -> None:
        self.loss_fn, self.mean, self.sd = loss_fn, mean, sd

    def __call__(self, outputs: Any, targets: Tensor) -> Tensor:
        return self.loss_fn((outputs - self.mean) / self.sd, (targets - self.mean) / self.sd)


def _scaled(setup: Setup) -> Change | None:
    y = setup.train[1]
    if not y.is_floating_point():
        return None
    good = y[finite_rows(y)].double()
    if len(good) < 2:
        return None
    # One scale a column of a table of targets; one for all of anything larger, such as images that are rebuilt.
    columns = y.dim() == 2 and y.shape[1] <= 16
    mean = good.mean(0) if columns else good.mean()
    sd = good.std(0, unbiased=False) if columns else good.std(unbiased=False)
    sd = torch.where(sd > 0, sd, torch.ones_like(sd))
    mean, sd = mean.to(y.dtype), sd.to(y.dtype)
    return Change(
        around(setup, lambda model: UnscaledOutputs(model, mean, sd), ScaledLoss(setup.loss_fn, mean, sd)),
        "trained on targets scaled to mean 0 and standard deviation 1; the model's answers are turned back into their units",
        "mean, sd = y.mean(0), y.std(0)\nloss = loss_fn(model(X), (y - mean) / sd)\nprediction = model(X) * sd + mean",
    )


SCALED = Fix("scale targets", "train on targets of mean 0 and standard deviation 1, and turn answers back", _scaled)
register("unscaled_targets", SCALED)
