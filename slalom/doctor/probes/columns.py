"""The features of a data set as columns: means, deviations, what is not finite, and how two parts differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from slalom.doctor.setup import Pair

Floats = NDArray[np.float64]
CONSTANT = 1e-6  # of the median deviation: a column below it says nothing


def columns(x: Tensor) -> Tensor | None:
    """Inputs `[rows, ...]` as `[samples, features]` in float64: the channels of images, the last axis of anything else.

    None for whole numbers, which are names (tokens), no measurements.
    """
    if not x.is_floating_point():
        return None
    x = x.detach().double()
    if x.dim() == 1:
        return x[:, None]
    if x.dim() >= 4:
        x = x.movedim(1, -1)
    return x.reshape(-1, x.shape[-1])


@dataclass(frozen=True)
class Columns:
    """By feature: mean and standard deviation over what is finite; `constant`: features that do not vary."""

    mean: Floats
    sd: Floats
    rows: int

    @property
    def constant(self) -> NDArray[np.bool_]:
        varying = self.sd[self.sd > 0]
        least = CONSTANT * float(np.median(varying)) if len(varying) else 0.0
        return np.asarray(self.sd <= least)

    @property
    def spread(self) -> float:
        """The largest deviation over the smallest, of features that vary; 1 where fewer than two do."""
        sd = self.sd[~self.constant]
        return float(sd.max() / sd.min()) if len(sd) > 1 else 1.0

    @property
    def usual_spread(self) -> float:
        """The same between the tenths of features with the largest and the smallest deviation: pixels that are hardly ever lit
        are left out."""
        sd = self.sd[~self.constant]
        low, high = np.quantile(sd, [0.1, 0.9]) if len(sd) > 1 else (1.0, 1.0)
        return float(high / low)

    @property
    def largest(self) -> float:
        """The largest root mean square of a feature."""
        return float(np.sqrt(self.mean**2 + self.sd**2).max())

    @property
    def smallest(self) -> float:
        """The smallest root mean square of features that vary."""
        vary = ~self.constant
        return float(np.sqrt(self.mean[vary] ** 2 + self.sd[vary] ** 2).min()) if vary.any() else 0.0

    @property
    def offset(self) -> float:
        """The largest |mean| / deviation of features that vary."""
        vary = ~self.constant
        return float((np.abs(self.mean[vary]) / self.sd[vary]).max()) if vary.any() else 0.0


def measured(x: Tensor) -> Columns | None:
    """Mean and deviation of each feature; None for whole numbers."""
    flat = columns(x)
    if flat is None:
        return None
    finite = torch.isfinite(flat)
    count = finite.sum(0).clamp(min=1)
    clean = torch.where(finite, flat, torch.zeros_like(flat))
    mean = clean.sum(0) / count
    off = torch.where(finite, flat - mean, torch.zeros_like(flat))
    sd = (off.square().sum(0) / count).sqrt()
    return Columns(mean.cpu().numpy(), sd.cpu().numpy(), len(flat))


def not_finite(part: Tensor) -> list[int]:
    """Rows that hold NaN or infinity."""
    if not part.is_floating_point():
        return []
    bad = ~torch.isfinite(part.detach().reshape(len(part), -1)).all(1)
    return [int(i) for i in bad.nonzero().flatten()]


@dataclass(frozen=True)
class Shift:
    """How the validation inputs differ from the training's, by feature, in the training deviations.

    `mean`: |difference of means| / deviation; `sd`: ratio of deviations (>= 1); `error`: the standard error of `mean` by chance.
    """

    mean: Floats
    sd: Floats
    error: float


def shift(train: Pair, val: Pair) -> Shift | None:
    """None for whole numbers. Deviations count as a tenth of the median one at least, or rarely lit pixels would look shifted."""
    a, b = measured(train[0]), measured(val[0])
    if a is None or b is None or len(a.sd) != len(b.sd):
        return None
    varying = a.sd[~a.constant]
    floor = 0.1 * float(np.median(varying)) if len(varying) else 0.0
    scale = np.maximum(a.sd, floor if floor > 0 else 1.0)
    other = np.maximum(b.sd, floor if floor > 0 else 1.0)
    ratio = other / scale
    rows = min(len(train[1]), len(val[1]))
    return Shift(np.abs(a.mean - b.mean) / scale, np.maximum(ratio, 1 / ratio), float(np.sqrt(2 / rows)))


def class_counts(y: Tensor) -> list[int] | None:
    """Rows of each class that occurs, for whole-number targets, or floats that are all 0 or 1; None for anything else."""
    flat = y.detach().flatten()
    if y.is_floating_point():
        if y.numel() != len(y) or not bool(((flat == 0) | (flat == 1)).all()):
            return None
        flat = flat.long()
    values, counts = torch.unique(flat, return_counts=True)
    if len(values) > max(2, len(flat) // 2):
        return None
    return [int(c) for c in counts]
