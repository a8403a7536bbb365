"""Other values in the parameters for a while."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch


@contextmanager
def swapped(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> Iterator[None]:
    """Copies each second tensor into the first; afterwards, also after an exception, the first are what they were, to the bit.

    The tensors keep their memory, so what holds pointers to them (a fused step, a captured graph) still holds.
    """
    with torch.no_grad():
        before = [target.detach().clone() for target, _ in pairs]
    try:
        with torch.no_grad():
            for target, value in pairs:
                target.copy_(value)
        yield
    finally:
        with torch.no_grad():
            for (target, _), value in zip(pairs, before, strict=True):
                target.copy_(value)
