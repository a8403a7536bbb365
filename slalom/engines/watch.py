"""Whether a table's tensors are where they were, and of the form they had, seen quickly: in C over the Python objects.

It rests on two functions of CPython's stable interface, on four of torch's, on one that torch made for its own compiler, which
tells a tensor's address, and on `slalom.engines.layout`. Where one is missing, or they say anything but yes,
`slalom.engines.fused` looks for itself, more slowly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from slalom.engines import inside
from slalom.engines.kernels.objects import FITS, OTHER, Looks
from slalom.engines.layout import dtype_number

_LEARN = 3  # times that the form is learnt anew


class Form(NamedTuple):
    """Dispatch keys and dtype of parameters and then gradients, and the axes of each pair; the addresses of all these."""

    arrays: tuple[NDArray[Any], ...]
    at: tuple[int, ...]


class Watch:
    """What a table holds: its parameters, their states' dicts, the tensors in those, and where all of them lie."""

    def __init__(
        self,
        found: NDArray[np.int64],
        looks: Looks,
        params: list[torch.Tensor],
        cells: list[dict[str, torch.Tensor]],
        held: list[torch.Tensor],
        pointers: Sequence[int],
    ) -> None:
        self._looks = looks
        self._kept = (cells, params, held)
        self._arrays = (
            np.cumsum([len(cell) for cell in cells], dtype=np.int64),
            np.array(pointers, np.int64),  # of the parameters, then of what is held
            np.empty((len(params) + len(held), 2), np.int64),
            found,
        )
        self._at = tuple(x.ctypes.data for x in self._arrays)
        looks.describe(len(params), params, self._at[2], found.ctypes.data)
        looks.describe(len(held), held, self._at[2] + 16 * len(params), found.ctypes.data)
        self._names = (np.array([*map(id, params)], np.int64), np.array([*map(id, cells)], np.int64))
        self._named = (*(x.ctypes.data for x in self._names), found.ctypes.data)
        self._left = _LEARN
        self._form: Form | None = None

    def listed(self, params: list[torch.Tensor], state: Any) -> bool:
        """Whether these are its parameters, and the dict `state` holds them and theirs and nothing else, in order."""
        return len(params) == len(self._kept[0]) and bool(self._looks.listed(len(params), params, state, *self._named))

    def same(self) -> bool:
        """Whether the dicts hold the same tensors, and all memory is where it was."""
        return bool(self._looks.same(len(self._kept[0]), *self._kept, *self._at))

    def learn(self, grads: Sequence[torch.Tensor]) -> None:
        """Notes the form of the parameters and of gradients that have been found right."""
        keys = inside.dispatch_keys
        if not self._left or keys is None:
            return
        self._left -= 1
        params = self._kept[1]
        tensors = [*params, *grads]
        first = np.zeros(len(params) + 1, np.int64)
        np.cumsum([p.dim() for p in params], out=first[1:])
        arrays = (
            np.array([keys(x).raw_repr() for x in tensors], np.uint64),
            np.array([dtype_number(x.dtype) for x in tensors], np.int32),
            first,
            np.array([n for p in params for n in p.shape], np.int64),
            np.array([n for x in tensors for n in x.stride()], np.int64),
        )
        self._form = Form(arrays, tuple(x.ctypes.data for x in arrays))

    def take(
        self, grads: list[torch.Tensor], row: int, width: int, begin: NDArray[np.int64], end: NDArray[np.int64]
    ) -> bool | None:
        """Writes the gradients' addresses at `row`; whether none lies in the memory from `begin` to `end` (in order).

        `width`: the address of their sizes in bytes. None, with nothing seen, where a form is not the one learnt.
        """
        if self._form is None:
            return None
        cells, params, _ = self._kept
        pieces = (begin.size, begin.ctypes.data, end.ctypes.data)
        found = self._looks.take(len(cells), params, grads, *self._form.at, row, width, *pieces, self._at[-1])
        return None if found == OTHER else bool(found == FITS)
