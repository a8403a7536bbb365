"""A look at what goes into a model."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slalom.doctor.online.record import InputLook

ROWS, FEATURES, NUMBERS = 256, 4096, 2**18  # of an input that are looked at, at most
IMAGE = 4


def first_floating(value: Any) -> Tensor | None:
    """The first floating-point tensor among arguments: tuples, lists and dicts are looked through."""
    if isinstance(value, Tensor):
        return value if value.is_floating_point() else None
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        for part in value:
            found = first_floating(part)
            if found is not None:
                return found
    return None


def look_at(x: Tensor, step: int) -> InputLook | None:
    """Means and standard deviations of the features in the first rows; channels of images, else the last axis."""
    if x.dim() < 2 or not x.numel():
        return None
    with torch.no_grad(), contextlib.suppress(RuntimeError):
        rows = x.detach()[: max(2, min(ROWS, NUMBERS // max(1, x[0].numel())))]
        if rows.dim() != IMAGE and rows.shape[-1] > FEATURES:
            rows = rows[..., :: -(-rows.shape[-1] // FEATURES)]
        rows = rows.double()
        axes = (0, 2, 3) if rows.dim() == IMAGE else tuple(range(rows.dim() - 1))
        finite = bool(torch.isfinite(rows).all())
        mean, sd = rows.mean(axes).cpu().numpy(), rows.std(axes, unbiased=False).cpu().numpy()
        return InputLook(step, np.atleast_1d(mean), np.atleast_1d(sd), finite, len(x))
    return None
