"""How a learning rate gets from one level to another."""

from __future__ import annotations

from typing import Any

import numpy as np

SHAPES = ("cosine", "linear", "sqrt")


def eased(share: Any, shape: str) -> Any:
    """0 at share 0, 1 at share 1: in a straight line, along half a cosine wave, or as the root, which starts fast."""
    if shape == "linear":
        return share
    return np.sqrt(share) if shape == "sqrt" else (1 - np.cos(np.pi * share)) / 2
