"""What is wrong with a batch's targets, said before compiled code or a GPU reads them."""

from __future__ import annotations

import torch
from torch import Tensor

NAMED = ("cross_entropy", "mse")
CROSS_ENTROPY = NAMED.index("cross_entropy")
IGNORED = -100  # torch's ignore_index


def target_fault(y: Tensor, count: int, out_shape: tuple[int, ...], loss: int) -> str | None:
    """What is wrong with targets of `count` samples, or None."""
    classes = loss == CROSS_ENTROPY
    expected = (count,) if classes else (count, *out_shape)
    if y.shape != expected or (classes and len(out_shape) != 1):
        return f"targets {list(y.shape)} do not fit outputs {[count, *out_shape]} for {NAMED[loss]}"
    if classes and y.is_floating_point():
        return f"cross_entropy needs class numbers, got targets of {y.dtype}"
    if not classes or not count:
        return None
    low, high = (int(v) for v in torch.aminmax(y))
    if high >= out_shape[0] or (low < 0 and bool(((y < 0) & (y != IGNORED)).any())):
        return f"targets must be classes 0..{out_shape[0] - 1}, got {high if high >= out_shape[0] else low}"
    return None
