"""What is handed in as a curve, made into float64 arrays: one clear error for each way in which it cannot be one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from slalom.core.errors import BadDataError, BadValueError

Floats = NDArray[np.float64]
LEAST = 10  # values from which a shape can be read


def numbers(name: str, values: Any) -> Floats:
    """`values` as a float64 array `[n]`: a list, an array or a tensor of real numbers, NaN and infinity among them."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values
    if isinstance(values, str | bytes) or (not hasattr(values, "__len__") and not hasattr(values, "__array__")):
        raise BadValueError(
            f"{name} must be a sequence of numbers, one a step or an epoch; got {type(values).__name__} {values!r}"
        )
    if isinstance(values, list | tuple):
        values = [v.item() if hasattr(v, "item") and getattr(v, "size", None) != 0 and _single(v) else v for v in values]
        for i, value in enumerate(values):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadValueError(f"{name} must hold real numbers alone; value {i} is {type(value).__name__} {value!r}")
    array = np.asarray(values)
    if array.size == 0:
        raise BadDataError(f"{name} is empty; give the losses so far, at least {LEAST} of them")
    if array.dtype.kind not in "iuf":
        raise BadValueError(f"{name} must hold real numbers, got an array of {array.dtype}")
    if array.ndim != 1:
        raise BadValueError(
            f"{name} must be one run's values in one row [n], got shape {list(array.shape)}; read runs one by one"
        )
    return array.astype(np.float64)


def _single(value: Any) -> bool:
    count = value.numel() if hasattr(value, "numel") else getattr(value, "size", 1)
    return bool(count == 1)


def losses(name: str, values: Any) -> Floats:
    """`numbers` of which there are enough to read: `LEAST`, or fewer where one of them is not finite, which says it all."""
    array = numbers(name, values)
    if len(array) < LEAST and np.isfinite(array).all():
        raise BadDataError(
            f"{name} has {len(array)} values; a curve is read from {LEAST} on (losses of steps do, where epochs are few)"
        )
    return array


def rates(lr: Any, n: int) -> Floats | None:
    """The learning rate of each of n values, from one number, a sequence of n, or None (not known)."""
    if lr is None:
        return None
    one = lr.item() if hasattr(lr, "item") and _single(lr) and getattr(lr, "ndim", 0) == 0 else lr
    single = isinstance(one, int | float) and not isinstance(one, bool)
    array = np.full(n, float(one)) if single else numbers("lr", lr)
    if len(array) != n:
        raise BadValueError(f"lr has {len(array)} values for {n} losses; give one number, or one a loss")
    if not (np.isfinite(array).all() and (array >= 0).all() and array.max() > 0):
        raise BadValueError(f"lr must be finite, >= 0 and somewhere above 0; got values from {array.min():g} to {array.max():g}")
    return array
