"""The modes' names, and what is said where one is missing or wrong."""

from __future__ import annotations

from typing import Any

import torch

from slalom.core.errors import BadValueError

LAZY = "lazy"
DENSE_EQUIVALENT = "dense-equivalent"
MODES = (None, LAZY, DENSE_EQUIVALENT)


def check(who: str, value: Any, where: str = "") -> None:
    """BadValueError for a value of `sparse=` that is not a mode."""
    if not any(value is mode or (isinstance(value, str) and value == mode) for mode in MODES):
        raise BadValueError(f"{who}: sparse must be one of {', '.join(map(repr, MODES))}, got {value!r}{where}")


def refused(who: str, p: torch.Tensor, g: torch.Tensor) -> BadValueError:
    """The error for a sparse gradient where no mode was chosen."""
    return BadValueError(
        f"{who}: the gradient of a parameter of shape {tuple(p.shape)} must be dense, got {g.layout}; say what becomes "
        f"of the rows it does not touch: sparse={LAZY!r} leaves them and their averages as they are (each row counts its "
        f"own steps), sparse={DENSE_EQUIVALENT!r} has them catch up when they are next touched, which gives the dense run's "
        "numbers; or use sparse=False in the layer"
    )
