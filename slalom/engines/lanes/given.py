"""What the rows that lanes are given must be: said before they run, since code in C reads what it is told is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor

from slalom.core.errors import BadValueError
from slalom.engines.lanes.native import Unfit
from slalom.engines.lanes.probe import first_line


def check_rows(x: Tensor, y: Tensor | None = None) -> None:
    """BadValueError for no rows at all, or inputs and targets that are not as many."""
    if not len(x):
        raise BadValueError(f"x has no rows, {list(x.shape)}; give at least one")
    if y is not None and len(x) != len(y):
        raise BadValueError(f"x and y must have as many rows, got {list(x.shape)} and {list(y.shape)}")


def check_batches(batches: Sequence[Tensor], lanes: int) -> None:
    """BadValueError for indices that are neither `[batch]` nor `[lanes, batch]`, or name no row."""
    for index in batches:
        if index.dim() not in (1, 2) or (index.dim() == 2 and len(index) != lanes):
            raise BadValueError(f"batches must be [batch] or [{lanes} lanes, batch], got {list(index.shape)}")
        if not index.numel():
            raise BadValueError(f"a batch must name at least one row, got {list(index.shape)}")


@contextmanager
def like(example: Tensor, x: Tensor) -> Iterator[None]:
    """What a model cannot take, told by what its lanes were made for, where that is another shape or dtype."""
    try:
        yield
    except (RuntimeError, IndexError, Unfit) as error:
        if x.shape[1:] == example.shape[1:] and x.dtype == example.dtype:
            raise
        shown = [f"[rows{''.join(f', {n}' for n in t.shape[1:])}] of {t.dtype}" for t in (x, example)]
        raise BadValueError(f"lanes made for inputs {shown[1]} cannot take {shown[0]}: {first_line(error)}") from error
