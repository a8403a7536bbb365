"""What kind of task a target makes, and its values as classes or numbers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from slalom.core.errors import BadDataError, BadValueError
from slalom.data.raw import Array, Raw
from slalom.data.record import Task

FEW = 20
ROWS_A_CLASS = 10


@dataclass(frozen=True)
class Target:
    """`values`: class numbers int64 `[n]`, or numbers float64 `[n, targets]`."""

    task: Task
    values: Array
    classes: tuple[str, ...]
    note: str


def read_target(raw: Raw, task: Task | None) -> Target:
    """The target of all rows; `task` overrides the rule, which is:

    text, categories and booleans are classes; whole numbers are classes when there are at most 20 different ones, or when
    they are exactly 0..k-1 with 10 rows or more a class on average; any other number is a quantity (regression).
    """
    if task not in (None, "classification", "regression"):
        raise BadValueError(f"task must be 'classification', 'regression' or None (decided by the target), got {task!r}")
    name = f"{raw.name}: target {raw.target!r}"
    values = _plain(np.asarray(raw.y), name)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2) or values.size == 0:
        raise BadDataError(f"{name} must be [rows] or [rows, targets], got {list(values.shape)}")
    task = task or raw.task
    if values.ndim == 2:
        return _several(values, task, name)
    decided, why = _decide(values)
    if task is not None:
        decided, why = task, "as asked" if raw.task != task else "as the data set says"
    if decided == "regression":
        return _quantity(values[:, None], name, why)
    return _classes(values, raw.labels, name, why)


def _plain(values: Array, name: str) -> Array:
    """Booleans, whole numbers, floats or text, without gaps."""
    if values.dtype.kind == "O":
        missing = np.array([_is_missing(v) for v in values.ravel()])
        _no_gaps(missing, values, name)
        kinds = {type(v) for v in values.ravel()}
        if all(issubclass(k, bool | np.bool_) for k in kinds):
            values = values.astype(bool)
        elif all(issubclass(k, int | np.integer) and not issubclass(k, bool) for k in kinds):
            values = values.astype(np.int64)
        elif all(issubclass(k, int | float | np.number | Decimal) and not issubclass(k, bool) for k in kinds):
            values = values.astype(np.float64)
        elif all(issubclass(k, str | int | float | np.number | np.bool_) for k in kinds):
            values = values.astype(str)
        else:
            held = ", ".join(sorted(k.__name__ for k in kinds))
            raise BadDataError(f"{name} holds {held}; it must be numbers, booleans or text: convert it first")
    if values.dtype.kind not in "biufU":
        raise BadDataError(f"{name} holds {values.dtype}; it must be numbers, booleans or text: convert it first")
    if values.dtype.kind == "f":
        _no_gaps(np.isnan(values), values, name)
        if np.isinf(values).any():
            row = int(np.argwhere(np.isinf(values))[0][0])
            raise BadDataError(f"{name} is infinite at row {row} (counted from 0); drop or correct such rows")
    return values


def _is_missing(value: Any) -> bool:
    # pandas' NA and NaT are known by their types' names: pandas need not be loaded.
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, float | np.floating) and value != value)
    )


def _no_gaps(missing: Array, values: Array, name: str) -> None:
    if missing.any():
        rows = np.unique(np.argwhere(missing.reshape(values.shape))[:, 0])
        raise BadDataError(
            f"{name} is missing (NaN or empty) in {len(rows)} of {len(values)} rows, first at row {rows[0]} (counted from 0); "
            "drop these rows or fill them in first: a target is never guessed"
        )


def _decide(values: Array) -> tuple[Task, str]:
    kind = values.dtype.kind
    if kind in "bU":
        return "classification", "it holds " + ("true and false" if kind == "b" else "text")
    different = np.unique(values)
    k = len(different)
    if kind == "f":
        hint = ""
        if k <= FEW and np.array_equal(different, np.round(different)):
            hint = f"; only {k} different whole values: task='classification' makes them classes"
        return "regression", f"it holds floats{hint}"
    if k <= FEW:
        return "classification", f"it holds {k} different whole numbers"
    if different[0] == 0 and different[-1] == k - 1 and len(values) >= ROWS_A_CLASS * k:
        return "classification", f"it holds the whole numbers 0 to {k - 1} with {len(values) / k:.0f} rows each on average"
    return "regression", f"it holds {k} different whole numbers; task='classification' makes them classes"


def _several(values: Array, task: Task | None, name: str) -> Target:
    one_hot = values.dtype.kind != "U" and bool(np.all((values == 0) | (values == 1)) and np.all(values.sum(1) == 1))
    if task == "classification" or (task is None and one_hot):
        looks = "looks one-hot" if one_hot else f"has {values.shape[1]} columns"
        raise BadDataError(f"{name} {looks}; classes are given as one number or word a row, such as y.argmax(1)")
    return _quantity(values, name, f"it has {values.shape[1]} columns")


def _quantity(values: Array, name: str, why: str) -> Target:
    if values.dtype.kind == "U":
        raise BadDataError(
            f"{name} holds text such as {str(values[0, 0])!r}; regression needs numbers: use task='classification'"
        )
    return Target("regression", values.astype(np.float64), (), f"regression on {name.split('target ')[-1]}: {why}")


def _classes(values: Array, labels: tuple[str, ...], name: str, why: str) -> Target:
    different, numbers = np.unique(values, return_inverse=True)
    if len(different) == 1:
        raise BadDataError(
            f"{name} has one value alone, {_label(different[0])!r}, in all {len(values)} rows; there is nothing to learn"
        )
    note = f"classification of {name.split('target ')[-1]} into {len(labels) or len(different)} classes: {why}"
    if not labels:
        return Target("classification", numbers.astype(np.int64), tuple(map(_label, different)), note)
    wrong = (values < 0) | (values >= len(labels)) | (values != np.round(values))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BadDataError(
            f"{name}: label {values[row]} at row {row} (counted from 0) is no class; they are 0 to {len(labels) - 1}"
        )
    if len(different) < len(labels):
        absent = [label for number, label in enumerate(labels) if number not in different]
        note += f"; without a single row: {', '.join(absent)}"
    return Target("classification", values.astype(np.int64), labels, note)


def _label(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return str(int(value)) if value == int(value) else repr(float(value))
    return str(value)
