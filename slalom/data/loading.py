"""From any source to data that is ready to race on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from slalom.core.checks import whole, yes_or_no
from slalom.core.errors import BadDataError, BadValueError
from slalom.data.files import looks_like_path, read_file
from slalom.data.memory import from_memory, is_frame
from slalom.data.raw import Array, Raw, Rows
from slalom.data.record import Data, Part, Task
from slalom.data.registry import SOURCES, built_in
from slalom.data.scale import mean_and_deviation, refuse_too_large, scaling_for, standardise, to_float32
from slalom.data.split import checked_fractions, split_rows
from slalom.data.tables import encode
from slalom.data.target import Target, read_target

SPLIT = (0.6, 0.2, 0.2)
PARTS = ("train", "val", "test")


def load(
    source: Any,
    *,
    target: str | Sequence[str] | None = None,
    split: Sequence[float] = SPLIT,
    seed: int = 0,
    scale: bool = True,
    task: Task | None = None,
) -> Data:
    """Data split in train, validation and test, encoded and scaled by what the training part alone shows.

    `source`: a built-in name (`slalom.data.names()`), the path of a `.csv`, `.tsv`, `.parquet` or `.npz` file, `(X, y)`
    as arrays, tensors or lists, a DataFrame, a map-style `torch.utils.data.Dataset` of pairs, or
    `{"train": ..., "val": ..., "test": ...}` with one of these each; a `Data` comes back as it is.
    `target`: the column (several, with commas between them, for regression) of a table, or the array of an npz, where
    inputs are `X` and the target is otherwise `y`. `split`, `seed`: shares of the three parts, and the seed that picks
    their rows; stratified for classes. `task`: `"classification"` or `"regression"` where the target's type would decide
    otherwise: text, booleans and few whole numbers are classes, other numbers quantities.
    `scale`: standardise inputs - tables `[n, d]` by column, images `[n, C, H, W]` by channel, `[n, a, b]` as a whole - and
    regression targets; without it both stay as they are (`target_mean` 0, `target_std` 1).

    What was done to the data is said in `notes`. Errors: `BadDataError` for data that cannot be trained on,
    `BadValueError` for arguments out of their range, `UnknownNameError` for a name or column that is not there.

    >>> data = load("iris")
    >>> data.task, data.classes, len(data.train), len(data.val), len(data.test)
    ('classification', ('setosa', 'versicolor', 'virginica'), 90, 30, 30)
    """
    shares = checked_fractions(split)
    whole(seed, "the split's seed", 0)
    yes_or_no(scale, "scale")
    if isinstance(source, Data):
        _unused(
            "a Data is split, scaled and decided already",
            target=target, split=shares != SPLIT, seed=seed, scale=not scale, task=task,
        )  # fmt: skip
        return source
    if isinstance(source, str | os.PathLike):
        raw, source = _named(os.fspath(source), target)
        asked = {"target": target if target is None or isinstance(target, str) else list(target)}
        again = {"source": source, **asked, "split": list(shares), "seed": int(seed), "scale": scale, "task": task}
    else:
        raw, again = from_memory(source, target), {}
    if raw.rows is not None:
        _unused("the data bring their own split", split=shares != SPLIT, seed=seed)
    found = read_target(raw, task)
    classes = found.values if found.task == "classification" else None
    try:
        rows = raw.rows or split_rows(len(found.values), shares, int(seed), classes, found.classes)
    except BadDataError as error:
        raise BadDataError(f"{raw.name}: {error}") from None
    return _prepared(raw, found, rows, _split_note(raw, found, shares, int(seed), rows), scale, again)


def _unused(why: str, **given: Any) -> None:
    for name, value in given.items():
        if value is not None and value is not False and value != 0:
            raise BadValueError(f"{why}, so {name}= would change nothing; leave it out")


def _named(text: str, target: Any) -> tuple[Raw, str]:
    if text.partition(":")[0] in SOURCES or not looks_like_path(text):
        raw = built_in(text)
        if target is not None:
            raise BadValueError(f"{text} has a target already, {raw.target!r}; target={target!r} is for files: leave it out")
        return raw, text
    path = Path(text).expanduser().absolute()
    return read_file(path, target), str(path)


def _split_note(raw: Raw, found: Target, shares: tuple[float, ...], seed: int, rows: Rows) -> str:
    sizes = "/".join(str(len(part)) for part in rows)
    if raw.rows is not None:
        return f"split as given: {sizes} rows to train, validate and test"
    how = "stratified by class, " if found.task == "classification" else ""
    asked = "/".join(f"{100 * share:g}" for share in shares)
    off = max(abs(len(part) - share * len(found.values)) for part, share in zip(rows, shares, strict=True))
    kept = "" if off <= 2 + 0.01 * len(found.values) else ", other shares than asked, so that each part has every class"
    return f"split {asked} %, {how}seed {seed}: {sizes} rows to train, validate and test{kept}"


def _prepared(raw: Raw, found: Target, rows: Rows, split_note: str, scale: bool, again: dict[str, Any]) -> Data:
    notes = [*raw.notes, found.note, split_note]
    train = rows[0]
    features, only = raw.features, None
    x = raw.x
    if is_frame(x):
        table = encode(x, train, raw.name)
        x, features, only = table.x, table.names, table.numeric
        notes += table.notes
    x, said = standardise(x, train, raw.scaling or scaling_for(x) if scale else "none", only, raw.name)
    notes += said if scale else ["inputs and targets are as given: scale=False"]
    x = to_float32(x, raw.name)
    y, mean, deviation = _targets(raw, found, rows, scale)
    parts = tuple(Part(torch.from_numpy(x[part]), torch.from_numpy(y[part])) for part in rows)
    return Data(
        raw.name, found.task, parts[0], parts[1], parts[2], classes=found.classes, features=features,
        target_mean=mean, target_std=deviation, notes=tuple(notes), source=again, fingerprint=_fingerprint(parts),
    )  # fmt: skip


def _targets(raw: Raw, found: Target, rows: Rows, scale: bool) -> tuple[Array, tuple[float, ...], tuple[float, ...]]:
    y, train = found.values, rows[0]
    name = f"{raw.name}: target {raw.target!r}"
    if found.task == "classification":
        seen = np.unique(y[train])
        if len(seen) == 1:
            raise BadDataError(f"{name} is {found.classes[int(seen[0])]!r} in all rows of train; there is nothing to learn")
        for part, numbers in zip(PARTS, rows, strict=True):
            new = np.setdiff1d(y[numbers], seen)
            if len(new):
                raise BadDataError(f"{name}: {part} has class {found.classes[int(new[0])]!r}, which train has no row of")
        return y, (), ()
    columns = y.shape[1]
    mean, deviation = mean_and_deviation(y[train], 1)
    refuse_too_large(y, deviation, name)
    if (deviation == 0).any():
        which = f" (column {int(np.argmax(deviation[0] == 0))})" if columns > 1 else ""
        raise BadDataError(f"{name}{which} has the same value in all {len(train)} rows of train; there is nothing to learn")
    if not scale:
        return to_float32(y, name), (0.0,) * columns, (1.0,) * columns
    return to_float32((y - mean) / deviation, name), tuple(mean[0].tolist()), tuple(deviation[0].tolist())


def _fingerprint(parts: Sequence[Part]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        for tensor in (part.x, part.y):
            array = tensor.numpy()
            digest.update(f"{array.dtype} {array.shape} ".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
