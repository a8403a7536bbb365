"""Train, validation and test rows: stratified by class, from a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from slalom.core.errors import BadDataError, BadValueError
from slalom.data.raw import Array, Rows


def checked_fractions(split: Sequence[float]) -> tuple[float, float, float]:
    """The shares of train, validation and test: three positive numbers that sum to 1."""
    rule = "split must be three shares > 0 of train, validation and test that sum to 1, such as (0.6, 0.2, 0.2)"
    try:
        shares = tuple(float(share) for share in split)
    except (TypeError, ValueError):
        raise BadValueError(f"{rule}; got {split!r}") from None
    if isinstance(split, str) or len(shares) != 3 or not all(math.isfinite(s) and s > 0 for s in shares):
        raise BadValueError(f"{rule}; got {split!r}")
    if abs(sum(shares) - 1) > 1e-6:
        raise BadValueError(f"{rule}; got {split!r}, which sums to {sum(shares):g}")
    return shares[0], shares[1], shares[2]


def split_rows(n: int, shares: tuple[float, float, float], seed: int, classes: Array | None, labels: Sequence[str]) -> Rows:
    """Row numbers of the three parts, each in random order; the same for the same seed on every machine.

    With `classes` (a class number a row) every part holds each class in its share of all rows, at least once.
    """
    # Sorting uniform numbers instead of calling a shuffle: the stream of `random` is the one that NumPy keeps stable.
    order = np.argsort(np.random.default_rng(seed).random(n), kind="stable")
    groups = [order] if classes is None else [order[classes[order] == c] for c in np.unique(classes)]
    groups.sort(key=len)  # large classes last: they make up for what small ones could not give
    carry = np.zeros(3)
    chosen: list[list[Array]] = [[], [], []]
    for group in groups:
        if len(group) < 3:
            if classes is None:
                raise BadDataError(f"the data have {_rows(n)}; a split in three parts needs at least 3")
            label = labels[int(classes[group[0]])]
            quantity = all(map(_is_number, labels))  # text cannot be regressed on
            raise BadDataError(
                f"class {label!r} has {_rows(len(group))}; each class needs at least 3, one a part. Join or drop rare classes, "
                "give your own parts as {'train': (X, y), 'val': ..., 'test': ...}"
                + (", or use task='regression' (--task regression) for a quantity" if quantity else ", or name another target")
            )
        wanted = len(group) * np.array(shares) + carry
        counts = _whole(wanted, len(group))
        carry = wanted - counts  # rounding does not add up over many classes
        for part, rows_of_part in zip(chosen, np.split(group, np.cumsum(counts)[:2]), strict=True):
            part.append(rows_of_part)
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    train, val, test = (np.concatenate(part) for part in chosen)
    return train[np.argsort(rank[train])], val[np.argsort(rank[val])], test[np.argsort(rank[test])]


def _rows(n: int) -> str:
    return "1 row" if n == 1 else f"{n} rows"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _whole(wanted: Array, total: int) -> Array:
    """Whole numbers >= 1 near the wanted ones that sum to the total."""
    counts = np.maximum(1, np.floor(wanted)).astype(np.int64)
    while counts.sum() < total:
        counts[np.argmax(wanted - counts)] += 1
    while counts.sum() > total:
        counts[np.argmax(np.where(counts > 1, counts - wanted, -np.inf))] -= 1
    return counts
