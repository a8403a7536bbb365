"""What a tensor is and where it lies: the one place that tells a CUDA device's memory from the processor's."""

from __future__ import annotations

import torch

PLAIN = frozenset({torch.Tensor, torch.nn.Parameter})  # classes whose memory is what it seems


def on_cuda(x: torch.Tensor) -> bool:
    """Whether the tensor lies on a CUDA device, so that reading its number would wait for all that is queued there."""
    return x.is_cuda
