"""Tables and arrays from files: CSV, TSV, Parquet, npz."""

from __future__ import annotations

import dataclasses
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slalom.core.errors import BadDataError, BadValueError, unknown_name
from slalom.data.memory import from_arrays, from_frame
from slalom.data.raw import Raw, listed

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".tsv", ".parquet", ".npz")
Columns = str | list[str] | tuple[str, ...] | None


def looks_like_path(text: str) -> bool:
    """Whether a source is meant as a file: it has a known ending, a separator, or exists."""
    path = Path(text)
    return path.suffix.lower() in ENDINGS or os.sep in text or "/" in text or path.exists()


def read_file(path: Path, target: Columns) -> Raw:
    """All rows of a file.

    CSV: UTF-8, separated by whichever of `,`, `;` and tab the header has most of; `?` counts as missing too.
    """
    if path.is_dir():
        raise BadDataError(f"{path} is a folder; give a file that ends in {', '.join(ENDINGS)}")
    if path.suffix.lower() not in ENDINGS:
        ending = f"ends in {path.suffix!r}" if path.suffix else "has no ending"
        raise BadDataError(f"{path} {ending}; data files end in {', '.join(ENDINGS)}: convert it first")
    if not path.exists():
        raise BadDataError(f"{path}: there is no such file (the current directory is {Path.cwd()})")
    readers = {".npz": _npz, ".parquet": _parquet}
    try:
        return readers.get(path.suffix.lower(), _csv)(path, target)
    except PermissionError:
        raise BadDataError(f"{path} cannot be read: permission denied") from None


def _csv(path: Path, target: Columns) -> Raw:
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
        separator = max(",;\t", key=header.count)
        frame = pd.read_csv(path, sep=separator, na_values=["?"], encoding="utf-8-sig", low_memory=False)
    except UnicodeDecodeError as error:
        raise BadDataError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from None
    except pd.errors.EmptyDataError:
        raise BadDataError(f"{path} is empty; it needs a header line with the columns' names, then a line a row") from None
    except (pd.errors.ParserError, ValueError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise BadDataError(f"{path} is not a table: {reason}; each line needs as many fields as the header") from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise BadDataError(f"{path}: the lines have more fields than the header; name every column in the first line")
    frame, commas = _decimal_commas(frame) if separator == ";" else (frame, [])
    raw = from_frame(frame, target, path.name)
    notes = [f"decimal commas read as points: {listed(commas)}"] if commas else []
    return dataclasses.replace(raw, notes=(*raw.notes, *notes))


def _decimal_commas(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Columns of text that are numbers once commas are points, as numbers: what spreadsheets write beside `;`."""
    import pandas as pd

    read: dict[str, pd.Series[Any]] = {}
    for place, key in enumerate(frame.columns):
        values = frame.iloc[:, place]
        if pd.api.types.is_numeric_dtype(values.dtype):
            continue
        known = values.dropna().map(str)
        if known.str.contains(",").any() and known.str.fullmatch(r"\s*[-+]?\d+(,\d+)?\s*").all():
            read[key] = pd.to_numeric(values.map(lambda v: str(v).replace(",", "."), na_action="ignore"))
    return frame.assign(**read), [str(key) for key in read]


def _parquet(path: Path, target: Columns) -> Raw:
    import pandas as pd

    try:
        frame: pd.DataFrame = pd.read_parquet(path, engine="pyarrow")
    except (ValueError, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise BadDataError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}") from None
    return from_frame(frame, target, path.name)


def _npz(path: Path, target: Columns) -> Raw:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays: dict[str, Any] = {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError, AttributeError, TypeError) as error:
        if isinstance(error, PermissionError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if not zipfile.is_zipfile(path):
            reason = "it is no zip archive at all; np.savez(path, X=X, y=y) makes one"
        elif "pickle" in reason.lower():
            reason = "it holds pickled Python objects, which are never loaded; save arrays of numbers or text with np.savez"
        raise BadDataError(f"{path} is not a readable npz archive: {reason}") from None
    held = listed([f"{key} {list(array.shape)}" for key, array in arrays.items()])
    if target is not None and not isinstance(target, str):
        raise BadValueError(f"{path}: target must name one array of the archive, got {target!r}; it holds {held}")
    if target is None and "y" not in arrays:
        raise BadValueError(f"{path}: which array is the target? name it with target=NAME (--target NAME); it holds {held}")
    chosen = target or "y"
    if chosen not in arrays:
        raise unknown_name(f"array in {path.name}", chosen, arrays)
    others = [key for key in arrays if key != chosen]
    inputs = next((key for key in ("X", "x") if key in others), others[0] if len(others) == 1 else None)
    if inputs is None:
        raise BadValueError(
            f"{path}: the inputs must be in the array 'X'; there is {listed(others) or 'nothing'} beside the target"
        )
    try:
        return from_arrays(arrays[inputs], arrays[chosen], path.name, target=chosen, inputs=inputs)
    except BadDataError as error:
        said = str(error)
        raise BadDataError(said if said.startswith(f"{path.name}: ") else f"{path.name}: {said}") from None
