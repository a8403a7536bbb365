"""Where this Python and this torch keep what a tensor is: found by looking at tensors that are known, once a process.

These places are looked for, in words of memory: an object's class and its tensor (the C++ object behind it), and a tensor's
dispatch keys, which tell its device, its layout (dense, sparse), lazy negation and conjugation, and wrappers of transforms; and
a tensor's storage, which is only fetched into the cache ahead of time and may be missing.
A place is taken only where exactly one word has the right content in every specimen.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from slalom.engines import inside
from slalom.engines.device import PLAIN

_WORDS, _TENSOR_WORDS = 4, 24  # how far is looked: an object of Python is longer, and so is a tensor (208 bytes)
_STABLE = ("aoti_torch_get_sizes", "aoti_torch_get_strides", "aoti_torch_get_dim", "aoti_torch_get_dtype")


class Layout(NamedTuple):
    """Distances in bytes: of the class and of the tensor in an object, of the keys and the storage (0: not found) in a tensor."""

    type: int
    tensor: int
    keys: int
    storage: int


def _words(address: int, count: int) -> list[int]:
    return list((ctypes.c_uint64 * count).from_address(address))


def _place(found: Sequence[tuple[list[int], int]]) -> int | None:
    """The only word that holds what it should in each specimen."""
    places = [k for k in range(len(found[0][0])) if all(words[k] == wanted for words, wanted in found)]
    return 8 * places[0] if len(places) == 1 else None


@cache
def layout() -> Layout | None:
    """None where this Python or torch is laid out in another way, or does not tell."""
    keys: Callable[[torch.Tensor], Any] | None = inside.dispatch_keys
    if keys is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    plain = torch.zeros(3, 2)
    specimens = [
        plain, plain.t(), plain._neg_view(), torch.zeros(3, dtype=torch.complex64).conj(), plain.to_sparse(),
        torch.nn.Parameter(plain), torch.empty(2, device="meta"), torch.zeros(2, dtype=torch.float64),
    ]  # fmt: skip
    try:
        at = [int(x._cdata) for x in specimens]
        told = [int(keys(x).raw_repr()) for x in specimens]
    except (AttributeError, TypeError):
        return None
    objects = [_words(id(x), _WORDS) for x in specimens]
    tensors = [_words(address, _TENSOR_WORDS) for address in at]
    kinds = _place([(words, id(type(x))) for words, x in zip(objects, specimens, strict=True)])
    bodies = _place(list(zip(objects, at, strict=True)))
    sets = _place(list(zip(tensors, told, strict=True)))
    dense = [k for k, x in enumerate(specimens) if x.layout == torch.strided]
    stored = _place([(tensors[k], int(specimens[k].untyped_storage()._cdata)) for k in dense])
    return None if kinds is None or bodies is None or sets is None else Layout(kinds, bodies, sets, stored or 0)


@cache
def dtype_number(dtype: torch.dtype) -> int:
    """The number of a dtype in torch's stable interface; -1 where it does not say."""
    library = _library()
    function = None if library is None else getattr(library, f"aoti_torch_dtype_{str(dtype).removeprefix('torch.')}", None)
    return -1 if function is None else int(function())


@cache
def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))  # which is loaded already
    except OSError:
        return None


def _address(function: Any) -> int:
    return 0 if function is None else ctypes.cast(function, ctypes.c_void_p).value or 0


@cache
def hooks() -> NDArray[np.int64] | None:
    """HOOKS of `slalom.engines.kernels.objects` as words; None where this torch or this Python lacks something."""
    places, data = layout(), inside.tensor_address
    if places is None or not isinstance(data, int):
        return None
    stable = [_address(getattr(_library(), name, None)) for name in _STABLE]
    python = [_address(getattr(ctypes.pythonapi, name)) for name in ("PyList_GetItem", "PyDict_Next")]
    words = [*python, data, *stable, *places, *map(id, PLAIN)]
    return np.array(words, np.int64) if all(words[: 3 + len(_STABLE)]) else None
