"""What a source hands over: all rows as they are, before task, split, encoding and scaling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy.typing as npt

from slalom.data.record import Task

Array = npt.NDArray[Any]
Rows = tuple[Array, Array, Array]

# How inputs are standardised: each column by its own mean and deviation, each channel of an image by its own, all values
# by one, or not at all.
Scaling = Literal["column", "channel", "whole", "none"]


@dataclass(frozen=True)
class Raw:
    """All rows of a source.

    `x`: numbers `[n, *features]`, or a pandas DataFrame whose columns are still to be encoded. `y`: `[n]` or
    `[n, targets]`. `labels`: names of the classes where `y` is known to hold their numbers, 0 first. `rows`: a split that
    came with the data, as row numbers of train, validation and test. `scaling`: None to go by the shape of `x`.
    """

    name: str
    x: Any
    y: Array
    features: tuple[str, ...] = ()
    target: str = "y"
    labels: tuple[str, ...] = ()
    task: Task | None = None
    rows: Rows | None = None
    scaling: Scaling | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)


def listed(words: list[str] | tuple[str, ...], limit: int = 30) -> str:
    """Words with commas between them, the first `limit` of them.

    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    shown = ", ".join(words[:limit])
    return shown if len(words) <= limit else f"{shown} and {len(words) - limit} more"
