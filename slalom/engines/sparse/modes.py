"""The modes' names, and what is said where one is missing or wrong."""

from __future__ import annotations

import torch

from slalom.core.errors import BadValueError

LAZY = "lazy"
DENSE_EQUIVALENT = "dense-equivalent"
MODES = (None, LAZY, DENSE_EQUIVALENT)


def refused(who: str, p: torch.Tensor, g: torch.Tensor) -> BadValueError:
    """The error for a sparse gradient where no mode was chosen."""
    return BadValueError(
        f"{who}: the gradient of a parameter of shape {tuple(p.shape)} must be dense, got {g.layout}; say what becomes "
        f"of the rows it does not touch: sparse={LAZY!r} leaves them and their averages as they are (each row counts its "
        f"own steps), sparse={DENSE_EQUIVALENT!r} has them catch up when they are next touched, which gives the dense run's "
        "numbers; or use sparse=False in the layer"
    )
