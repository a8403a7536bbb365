"""Whether a table's tensors are where they were, seen quickly: one pass in C over the Python objects, no call a tensor.

It rests on three functions of CPython's stable interface and on two that torch makes for its own compiler: one that
tells a tensor's address, one that compares the form of many tensors (type, dtype, layout, lazy negation, shape,
strides). Where torch lacks them, or they say anything but yes, `slalom.engines.fused` looks for itself, more slowly.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from slalom.engines import inside
from slalom.engines.kernels.tensors import TensorKernel

_LEARN = 3  # times that the form is learnt anew: gradients that two parameters share, say, are never passed by the comparison


class Hooks(NamedTuple):
    """Addresses of PyList_GetItem, PyDict_Next and torch's data_ptr, and the class that compares tensors' forms."""

    get: int
    next: int
    data: int
    guards: Any


@lru_cache(maxsize=1)
def hooks() -> Hooks | None:
    """None where this torch or this Python lacks one."""
    data, guards = inside.tensor_address, inside.TensorGuards
    if not isinstance(data, int) or guards is None:
        return None
    get, following = (ctypes.cast(getattr(ctypes.pythonapi, n), ctypes.c_void_p).value for n in ("PyList_GetItem", "PyDict_Next"))
    return None if get is None or following is None else Hooks(get, following, data, guards)


class Watch:
    """What a table holds: its parameters, their states' dicts, the tensors in those, and where all of them lie."""

    def __init__(
        self,
        found: Hooks,
        kernel: TensorKernel,
        params: list[torch.Tensor],
        cells: list[dict[str, torch.Tensor]],
        held: list[torch.Tensor],
        pointers: Sequence[int],
    ) -> None:
        self._hooks = found
        self._kernel = kernel
        self._kept = (params, cells, held)
        self._ends = np.cumsum([len(cell) for cell in cells], dtype=np.int64)
        self._pointers = np.array(pointers, np.int64)  # of the parameters, then of what is held
        self._at = (self._ends.ctypes.data, self._pointers.ctypes.data)
        self._left = _LEARN
        self._form: Any = None

    def same(self) -> bool:
        """Whether the dicts hold the same tensors, and all memory is where it was."""
        params, cells, held = self._kept
        h = self._hooks
        return bool(self._kernel.same(len(cells), cells, params, held, *self._at, h.get, h.next, h.data))

    def learn(self, grads: Sequence[torch.Tensor]) -> None:
        """Notes the form of the parameters and of gradients that have been found right."""
        if self._left:
            self._left -= 1
            tensors = [*self._kept[0], *grads]
            sizes, strides = [list(x.shape) for x in tensors], [list(x.stride()) for x in tensors]
            self._form = self._hooks.guards(*tensors, dynamic_dims_sizes=sizes, dynamic_dims_strides=strides)

    def alike(self, grads: Sequence[torch.Tensor]) -> bool:
        """Whether parameters and gradients are of the form learnt; False where in doubt."""
        return self._form is not None and self._form.check(*self._kept[0], *grads)

    def take(self, grads: list[torch.Tensor], row: int, width: int, begin: NDArray[np.int64], end: NDArray[np.int64]) -> bool:
        """Writes the gradients' addresses at `row`; whether none lies in the memory from `begin` to `end` (in order).

        `width`: the address of their sizes in bytes.
        """
        h = self._hooks
        return not self._kernel.take(len(grads), grads, row, width, begin.size, begin.ctypes.data, end.ctypes.data, h.get, h.data)
