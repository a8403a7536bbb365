"""Standardising by the training part's mean and standard deviation alone."""

from __future__ import annotations

import numpy as np

from slalom.core.errors import BadDataError
from slalom.data.raw import Array, Scaling

_BY_DIMENSIONS: dict[int, Scaling] = {2: "column", 3: "whole"}
_SAID = {
    "column": "inputs standardised, each column",
    "channel": "inputs standardised, each channel",
    "whole": "inputs standardised, all values together",
}


def scaling_for(x: Array) -> Scaling:
    """How an array is standardised by its shape: `[n, d]` by column, `[n, C, H, W]` by channel, `[n, a, b]` as a whole.

    (Whether `a` or `b` is the channel differs between convolutions and sequences, so neither is taken for it.)
    """
    return _BY_DIMENSIONS.get(x.ndim, "channel")


def mean_and_deviation(x: Array, keep: int | None = None) -> tuple[Array, Array]:
    """Mean and standard deviation over all axes but `keep`, shaped to broadcast; the deviation is 0 where all are equal."""
    axes = tuple(axis for axis in range(x.ndim) if axis != keep)
    with np.errstate(over="ignore", invalid="ignore"):  # infinite where squares leave float64: the caller's to refuse
        mean = x.mean(axis=axes, keepdims=True, dtype=np.float64)
        deviation = x.std(axis=axes, keepdims=True, dtype=np.float64)
    # The mean of equal numbers is rounded, so it need not equal them, nor their deviation 0.
    flat = deviation <= 1e-12 * np.abs(mean)
    first = x[tuple(slice(None) if axis == keep else slice(1) for axis in range(x.ndim))]
    return np.where(flat, first, mean), np.where(flat, 0.0, deviation)


def refuse_too_large(x: Array, deviation: Array, name: str) -> None:
    """An error where the deviation of `x` is beyond float64: divided by infinity, every value would be 0."""
    if not np.isfinite(deviation).all():
        sizes = np.abs(np.where(np.broadcast_to(np.isfinite(deviation), x.shape), 0.0, x))
        at = np.unravel_index(int(np.argmax(sizes)), x.shape)
        raise BadDataError(
            f"{name}: {x[at]:g} at row {at[0]} is too large to be standardised (the square of a value must be below 1.8e308); "
            "rescale it or take its logarithm"
        )


def standardise(
    x: Array, train: Array, scaling: Scaling, only: Array | None = None, name: str = "inputs"
) -> tuple[Array, list[str]]:
    """All rows of `x` scaled by what the rows `train` show, and a sentence on it; `only` marks the columns to scale."""
    if scaling == "none" or (only is not None and not only.any()):
        return x, []
    mean, deviation = mean_and_deviation(x[train], None if scaling == "whole" else 1)
    refuse_too_large(x, deviation, name)
    flat = deviation == 0
    if only is not None:
        flat = flat & only
        mean, deviation = np.where(only, mean, 0.0), np.where(only, deviation, 1.0)
    note = f"{_SAID[scaling]} by the training part's mean and standard deviation"
    if flat.any():
        what = "value" if scaling == "whole" else scaling
        note += f"; {int(flat.sum())} {what}{'s' if flat.sum() > 1 else ''} constant there, only centred"
    return (x - mean) / np.where(deviation == 0, 1.0, deviation), [note]


def to_float32(x: Array, name: str) -> Array:
    """`x` in float32, in which everything is trained; a value that does not fit is an error."""
    too_large = np.abs(x) > np.finfo(np.float32).max
    if too_large.any():
        at = np.argwhere(too_large)[0]
        raise BadDataError(
            f"{name}: {x[tuple(at)]:g} at row {at[0]} is too large for float32 (3.4e38); rescale it or take its logarithm"
        )
    return np.ascontiguousarray(x, dtype=np.float32)
