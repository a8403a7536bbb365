"""Columns of a table as numbers: one-hot categories, dates as days, gaps filled; all of it fitted on training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slalom.core.errors import BadDataError
from slalom.data.raw import Array, listed

if TYPE_CHECKING:
    import pandas as pd

MOST_CATEGORIES = 50
ID_LIKE = 20
_ISO_DATE = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?"


@dataclass(frozen=True)
class Encoded:
    """`x` float64 `[n, d]`; `numeric` marks the columns that are quantities (the others are 0 or 1)."""

    x: Array
    names: tuple[str, ...]
    numeric: Array
    notes: list[str]


def encode(frame: pd.DataFrame, train: Array, name: str) -> Encoded:
    """The table as numbers.

    Numbers stay; booleans are 0 or 1; dates become days since 1970, durations days; text and categories become one
    column a value (at most the 50 most frequent; a value not seen in training rows is all zeros). Gaps get the training
    rows' median, or their most frequent value. Text that is different in most rows, row numbers, and columns that are
    empty or constant in training rows are dropped. Everything that was done is said in `notes`.
    """
    columns: list[tuple[str, Array, bool]] = []
    said = _Said()
    for key in frame.columns:
        kind, values = _kind(frame[key], f"{name}: column {str(key)!r}")
        known = values.notna().to_numpy()
        if not known[train].any():
            said.empty.append(str(key))
        elif kind == "number" and _is_row_number(str(key), values):
            said.row_numbers.append(str(key))
        elif kind == "text":
            columns += _one_hot(str(key), values, known, train, said)
        else:
            columns.append((str(key), _filled(str(key), kind, values, known, train, said), kind != "truth"))
    kept = []
    for column, x, numeric in columns:
        if (x[train] == x[train[0]]).all():
            said.constant.append(column)
        else:
            kept.append((column, x, numeric))
    if not kept:
        reasons = "; ".join(said.notes()) or "it has no column beside the target"
        raise BadDataError(f"{name}: no column is left to learn from: {reasons}")
    return Encoded(
        np.stack([x for _, x, _ in kept], axis=1), tuple(c for c, _, _ in kept), np.array([q for *_, q in kept]), said.notes()
    )


class _Said:
    """What was done to which column."""

    def __init__(self) -> None:
        self.median: list[str] = []
        self.frequent: list[str] = []
        self.dates: list[str] = []
        self.durations: list[str] = []
        self.one_hot: list[str] = []
        self.rare: list[str] = []
        self.ids: list[str] = []
        self.row_numbers: list[str] = []
        self.empty: list[str] = []
        self.constant: list[str] = []

    def notes(self) -> list[str]:
        sentences = [
            (self.median, "missing values filled with the training part's median: {}"),
            (self.frequent, "missing values filled with the training part's most frequent value: {}"),
            (self.dates, "dates read as days since 1970: {}"),
            (self.durations, "durations read as days: {}"),
            (self.one_hot, "one 0/1 column a category, not scaled (a value unseen in training is all zeros): {}"),
            (self.rare, f"only the {MOST_CATEGORIES} most frequent categories kept, the others all zeros: {{}}"),
            (self.ids, "dropped, text that differs in most rows (an identifier?); group it into categories to use it: {}"),
            (self.row_numbers, "dropped, a row number; rename it to use it: {}"),
            (self.empty, "dropped, no value in the training part: {}"),
            (self.constant, "dropped, constant in the training part: {}"),
        ]
        return [sentence.format(listed(columns)) for columns, sentence in sentences if columns]


def _kind(values: pd.Series[Any], name: str) -> tuple[str, pd.Series[Any]]:
    """`number`, `truth`, `date`, `duration` or `text`, and the values in a plain dtype."""
    import pandas as pd
    from pandas.api import types

    if isinstance(values.dtype, pd.CategoricalDtype):
        return "text", values.astype(object)
    inferred = types.infer_dtype(values, skipna=True)
    if inferred in ("decimal", "mixed-integer-float") and values.dtype == object:
        values = pd.to_numeric(values.astype(object).map(lambda v: None if v is None else float(v)))
    if types.is_bool_dtype(values.dtype) or inferred == "boolean":
        return "truth", values
    if types.is_complex_dtype(values.dtype) or inferred in ("bytes", "complex"):
        raise BadDataError(f"{name} holds {inferred} values; turn them into numbers or text first")
    if types.is_numeric_dtype(values.dtype):
        infinite = np.isinf(values.to_numpy(np.float64, na_value=np.nan))
        if infinite.any():
            raise BadDataError(
                f"{name} is infinite at row {int(np.argmax(infinite))} (counted from 0); correct it or leave it empty"
            )
        return "number", values
    if types.is_datetime64_any_dtype(values.dtype) or inferred in ("date", "datetime", "datetime64"):
        return "date", pd.to_datetime(values, utc=True)
    if types.is_timedelta64_dtype(values.dtype) or inferred in ("timedelta", "timedelta64"):
        return "duration", pd.to_timedelta(values)
    known = values.dropna()
    if any(isinstance(v, list | dict | set | tuple | np.ndarray) for v in known.head(100)):
        raise BadDataError(f"{name} holds lists or mappings; spread them over columns of numbers first")
    text = values.astype(object).map(str, na_action="ignore")
    if len(known) and text.dropna().str.fullmatch(_ISO_DATE).all():
        dates = pd.to_datetime(text, utc=True, format="ISO8601", errors="coerce")
        if dates.notna().sum() == len(known):
            return "date", dates
    return "text", text


def _filled(key: str, kind: str, values: pd.Series[Any], known: Array, train: Array, said: _Said) -> Array:
    import pandas as pd

    if kind == "truth":
        x = values.astype(object).map(float, na_action="ignore").to_numpy(np.float64, na_value=np.nan)
        fill = float(x[train][known[train]].mean() >= 0.5)
        said_of = said.frequent
    elif kind == "number":
        x = values.to_numpy(np.float64, na_value=np.nan)
        fill, said_of = float(np.median(x[train][known[train]])), said.median
    else:
        since: Any = values - pd.Timestamp(0, tz="UTC") if kind == "date" else values
        x = np.array(since / pd.Timedelta(days=1), dtype=np.float64)
        fill, said_of = float(np.median(x[train][known[train]])), said.median
        (said.dates if kind == "date" else said.durations).append(key)
    gaps = int((~known).sum())
    if gaps:
        said_of.append(f"{key} ({gaps} of {len(x)})")
    return np.where(known, x, fill)


def _one_hot(key: str, values: pd.Series[Any], known: Array, train: Array, said: _Said) -> list[tuple[str, Array, bool]]:
    text = values.map(str, na_action="ignore").to_numpy(object)
    seen, counts = np.unique(text[train][known[train]].astype(str), return_counts=True)
    if len(seen) > ID_LIKE and len(seen) > counts.sum() / 2:
        said.ids.append(key)
        return []
    by_count = seen[np.argsort(-counts, kind="stable")]
    gaps = int((~known).sum())
    if gaps:
        said.frequent.append(f"{key} ({gaps} of {len(text)})")
        text = np.where(known, text, by_count[0])
    if len(seen) == 1:
        said.constant.append(key)
        return []
    kept = sorted(by_count[:MOST_CATEGORIES])
    (said.rare if len(seen) > MOST_CATEGORIES else said.one_hot).append(f"{key} ({len(seen)} categories)")
    return [(f"{key}={value}", (text == value).astype(np.float64), False) for value in kept]


def _is_row_number(key: str, values: pd.Series[Any]) -> bool:
    """Whether it is called an index and counts the rows, as the first column of many CSV files does."""
    named = key == "" or key.startswith("Unnamed:") or key.lower() in ("index", "id", "row", "level_0")
    x = values.to_numpy(np.float64, na_value=np.nan)
    return named and bool((np.diff(x) == 1).all())
