"""Data that is in memory already: arrays, tensors, lists, tables, Datasets, and parts that are split already."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import torch

from slalom.core.errors import BadDataError, BadValueError, unknown_name
from slalom.data.gather import gather
from slalom.data.raw import Array, Raw, listed

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("train", "val", "test")
ACCEPTED = (
    "a built-in name, a path, (X, y), a DataFrame with target=NAME, a map-style Dataset, "
    "{'train': (X, y), 'val': ..., 'test': ...}, or a slalom.data.Data"
)


def from_memory(source: Any, target: Any) -> Raw:
    """All rows of a Python object; see `slalom.data.load` for what it may be."""
    if isinstance(source, Mapping):
        return _from_parts(source, target)
    if is_frame(source):
        return from_frame(_pandas(source), target, "table")
    if target is not None:
        raise BadValueError(
            f"target={target!r} names a column of a file or DataFrame; {_what(source)} brings its target along: leave it out"
        )
    if isinstance(source, torch.utils.data.Dataset):
        x, y, labels, note = gather(source)
        raw = from_arrays(x, y, type(source).__name__)
        return dataclasses.replace(raw, labels=labels, notes=(*raw.notes, note))
    if isinstance(source, tuple) and len(source) == 2:
        x, y = source
        if is_frame(x):
            y = y.to_numpy() if hasattr(y, "to_numpy") else y
            return _paired(_pandas(x), as_array(y, "y"), "table", "y")
        return from_arrays(x, y, "arrays")
    hint = ""
    if isinstance(source, torch.utils.data.DataLoader):
        hint = ": its own .dataset is what to give here, batches are cut by batch_size="
    elif isinstance(source, list) and len(source) == 2:
        hint = ": inputs and targets go in round brackets, (X, y)"
    raise BadDataError(f"data cannot be {_what(source)}{hint or f'; give {ACCEPTED}'}")


def from_arrays(x: Any, y: Any, name: str, target: str = "y", inputs: str = "X") -> Raw:
    """Rows of numbers `[n, *features]` and their targets."""
    values = as_array(x, inputs)
    if values.dtype.kind not in "biuf":
        raise BadDataError(
            f"{inputs} holds {values.dtype}, not real numbers; give a DataFrame, whose text columns are encoded here"
        )
    if values.ndim < 2:
        raise BadDataError(
            f"{inputs} must be [rows, features] or [rows, channels, height, width], got {list(values.shape)}; "
            f"a single feature is given as {inputs}[:, None]"
        )
    if values.size == 0:
        raise BadDataError(f"{inputs} is empty: {list(values.shape)}")
    bad = ~np.isfinite(values)
    if bad.any():
        places = np.argwhere(bad)
        row, *column = (int(i) for i in places[0])
        where = f"column {column[0]}" if len(column) == 1 else f"position {tuple(column)}"
        more = f", and at {len(places) - 1} more places" if len(places) > 1 else ""
        kind = "NaN" if np.isnan(values[tuple(places[0])]) else "infinite"
        raise BadDataError(
            f"{inputs} is {kind} at row {row}, {where} (counted from 0){more}; "
            "correct it, or give a DataFrame, whose gaps are filled here"
        )
    return _paired(values, as_array(y, target), name, target)


def from_frame(frame: pd.DataFrame, target: Any, name: str) -> Raw:
    """Rows of a table, whose target is one of its columns (or several, for regression)."""
    if frame.index.names != [None]:
        frame = frame.reset_index()  # an index with a name is a column that was moved aside
    frame = frame.rename(columns=str)
    columns = list(frame.columns)
    if len(set(columns)) < len(columns):
        twice = sorted({c for c in columns if columns.count(c) > 1})
        raise BadDataError(f"{name}: columns share a name: {listed(twice)}; rename them")
    if target is None:
        raise BadValueError(
            f"{name}: which column is the target? name it with target=NAME (--target NAME); columns: {listed(columns)}"
        )
    wanted = [target] if isinstance(target, str) else [str(column) for column in target]
    if isinstance(target, str) and target not in columns and "," in target:
        wanted = [part.strip() for part in target.split(",")]
    for column in wanted:
        if column not in columns:
            raise unknown_name(f"column in {name}", column, columns)
    if not wanted or len(wanted) == len(columns):
        raise BadDataError(f"{name}: there must be a target and at least one column beside it; columns: {listed(columns)}")
    if len(frame) == 0:
        raise BadDataError(f"{name} has columns but no rows")
    # As objects, so that gaps in whole numbers do not turn them into floats, nor categories into codes.
    parts = [frame[column].astype(object).to_numpy() for column in wanted]
    y = parts[0] if len(parts) == 1 else np.stack(parts, axis=1)
    return _paired(frame.drop(columns=wanted), y, name, ", ".join(wanted))


def as_array(values: Any, name: str) -> Array:
    """Tensors, arrays, series and nested lists as one NumPy array."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = values.to_dense() if values.layout != torch.strided else values
        tensor: Array = (values.float() if values.dtype in (torch.bfloat16, torch.float16) else values).numpy()
        return tensor
    if hasattr(values, "toarray"):
        raise BadDataError(f"{name} is a sparse matrix; give {name}.toarray()")
    try:
        array: Array = np.asarray(values)
    except ValueError as error:
        raise BadDataError(f"{name} is ragged: its rows differ in length ({error})") from None
    if array.ndim == 0:
        got = f"a single value, {values}" if isinstance(values, np.ndarray) else _what(values)
        raise BadDataError(f"{name} must be an array, tensor or list of rows, got {got}")
    return array


def is_frame(source: Any) -> TypeGuard[Any]:
    """Whether it is a table of pandas, or of a library that turns its tables into pandas'."""
    return hasattr(source, "columns") and (hasattr(source, "to_pandas") or hasattr(source, "iloc"))


def _pandas(frame: Any) -> pd.DataFrame:
    made: pd.DataFrame = frame.to_pandas() if hasattr(frame, "to_pandas") else frame
    return made


def _paired(x: Any, y: Array, name: str, target: str) -> Raw:
    if len(x) != len(y):
        raise BadDataError(f"{name}: {len(x)} rows of inputs but {len(y)} of targets; they must be as many")
    if len(x) == 0 or 0 in x.shape:
        raise BadDataError(f"{name} is empty: inputs are {list(x.shape)}")
    features = tuple(map(str, x.columns)) if is_frame(x) else ()
    return Raw(name, x, y, features, target)


def _from_parts(source: Mapping[Any, Any], target: Any) -> Raw:
    if set(source) != set(PARTS):
        got = ", ".join(map(repr, source)) or "nothing"
        raise BadDataError(
            f"data in parts need exactly 'train', 'val' and 'test', got {got}; give all rows as (X, y) to have them split"
        )
    raws = []
    for part in PARTS:
        try:
            raws.append(from_memory(source[part], target))
        except (BadDataError, BadValueError) as error:
            raise type(error)(f"{part}: {error}") from None
    first = raws[0]
    for part, raw in zip(PARTS, raws, strict=True):
        if raw.x.shape[1:] != first.x.shape[1:] or is_frame(raw.x) != is_frame(first.x):
            shapes = f"inputs are {list(raw.x.shape)}, those of train {list(first.x.shape)}"
            raise BadDataError(f"{part}: {shapes}; all parts need the same columns")
        if raw.features != first.features:
            columns = f"{listed(raw.features)}; those of train are {listed(first.features)}"
            raise BadDataError(f"{part}: columns are {columns}; all parts need the same, in the same order")
        if raw.y.shape[1:] != first.y.shape[1:]:
            raise BadDataError(f"{part}: targets are {list(raw.y.shape)}, those of train {list(first.y.shape)}")
        if raw.labels != first.labels:
            raise BadDataError(f"{part}: its classes are {listed(raw.labels)}, those of train {listed(first.labels)}")
    if is_frame(first.x):
        import pandas as pd

        x = pd.concat([raw.x for raw in raws], ignore_index=True)
    else:
        x = np.concatenate([raw.x for raw in raws])
    ends = np.cumsum([0] + [len(raw.y) for raw in raws])
    rows = (np.arange(ends[0], ends[1]), np.arange(ends[1], ends[2]), np.arange(ends[2], ends[3]))
    y = np.concatenate([raw.y for raw in raws])
    return dataclasses.replace(first, x=x, y=y, rows=rows)


def _what(source: Any) -> str:
    kind = type(source).__name__
    return f"a {kind} of {len(source)}" if isinstance(source, list | tuple) else f"{kind}"
