"""A map-style Dataset read once into arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from slalom.core.errors import BadDataError
from slalom.data.raw import Array


def gather(dataset: torch.utils.data.Dataset[Any]) -> tuple[Array, Array, tuple[str, ...], str]:
    """Inputs, targets, class names (of its `classes`, where it has them) and a note; items must be `(x, y)`."""
    name = type(dataset).__name__
    if isinstance(dataset, torch.utils.data.IterableDataset) or not hasattr(dataset, "__len__"):
        raise BadDataError(f"{name} has no length; give a map-style Dataset (__len__ and __getitem__), or gather it into tensors")
    n = len(dataset)
    if n == 0:
        raise BadDataError(f"{name} is empty")
    xs: list[Array] = []
    ys: list[Array] = []
    for i in range(n):
        x, y = _item(dataset, i, name)
        if xs and x.shape != xs[0].shape:
            raise BadDataError(f"{name}[{i}]: x is {list(x.shape)}, in {name}[0] {list(xs[0].shape)}; pad or resize to one shape")
        if ys and y.shape != ys[0].shape:
            raise BadDataError(f"{name}[{i}]: y is {list(y.shape)}, in {name}[0] {list(ys[0].shape)}; all targets need one shape")
        xs.append(x)
        ys.append(y)
    note = f"every item of {name} was read once, so a random transform in it is frozen"
    return np.stack(xs), np.stack(ys), _labels(dataset, ys), note


def _item(dataset: Any, i: int, name: str) -> tuple[Array, Array]:
    try:
        item = dataset[i]
    except Exception as error:
        raise BadDataError(f"{name}[{i}] raised {type(error).__name__}: {error}") from error
    if not isinstance(item, tuple | list) or len(item) != 2:
        got = f"{len(item)} values" if isinstance(item, tuple | list) else type(item).__name__
        raise BadDataError(f"{name}[{i}] must be a pair (x, y), got {got}")
    x, y = (_array(value, f"{name}[{i}]: {what}") for value, what in zip(item, "xy", strict=True))
    if x.ndim == 0:
        raise BadDataError(f"{name}[{i}]: x is a single number; give it a dimension, such as x[None]")
    return x, y


def _array(value: Any, name: str) -> Array:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype in (torch.bfloat16, torch.float16) else value).numpy()
    elif not isinstance(value, np.ndarray | np.generic | int | float | str | list | tuple):
        raise BadDataError(f"{name} is a {type(value).__name__}; give tensors, arrays or numbers (images: transform=ToTensor())")
    try:
        return np.asarray(value)
    except ValueError:
        raise BadDataError(f"{name} is a ragged list") from None


def _labels(dataset: Any, ys: list[Array]) -> tuple[str, ...]:
    # torchvision's data sets name their classes there; only whole numbers can be numbers of classes.
    classes = getattr(dataset, "classes", None)
    if isinstance(classes, list | tuple) and len(classes) > 1 and ys[0].ndim == 0 and ys[0].dtype.kind in "iu":
        return tuple(map(str, classes))
    return ()
