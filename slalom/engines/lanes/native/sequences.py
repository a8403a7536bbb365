"""The library of layers over sequences in C (sequences.c and those that build on it), and how tensors are handed to it."""

from __future__ import annotations

import ctypes
import platform
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from slalom.engines.kernels import NoCompilerError
from slalom.engines.kernels.cache import library
from slalom.engines.lanes.cuda.place import on_device
from slalom.engines.lanes.native.chain import FLAGS, source

FILES = ("gemm.c", "functions.c", "layers.c", "sequences.c", "recurrent.c", "attention.c", "encoder.c")
SYMBOLS = tuple(f"slalom_{layer}{what}" for layer in ("recurrent", "encoder") for what in ("", "_back", "_kept", "_scratch"))

# Loops over softmax and gates gain a third by the widest vectors, which compilers for x86 avoid unless told.
WIDE = ("-mprefer-vector-width=512",) if platform.machine() in ("x86_64", "AMD64") else ()
MOST_FREE = 8  # layers whose memory a thread holds on to


@cache
def sequences(dtype: torch.dtype) -> ctypes.CDLL:
    """The library for tensors of this dtype; NoCompilerError where none can be built."""
    made = library(source(dtype, FILES), SYMBOLS, (*FLAGS, *WIDE))
    for name in SYMBOLS:
        getattr(made, name).restype = ctypes.c_int64 if name.endswith(("kept", "scratch")) else None
    return made


def runs_in_c(*tensors: Tensor | None) -> bool:
    """Whether there is a library for tensors like these."""
    kinds = {t.dtype for t in tensors if t is not None}
    if any(on_device(t.device) for t in tensors if t is not None):
        return False
    if len(kinds) != 1 or not kinds <= {torch.float32, torch.float64}:
        return False
    try:
        sequences(*kinds)
    except NoCompilerError:
        return False
    return True


def in_c(device: torch.device) -> bool:
    """Whether float32 layers on this device run in C."""
    return runs_in_c(torch.empty(0, device=device))


class _Free(threading.local):
    """Memory of this thread that a way back has done with: fresh pages cost as much as what is computed in them."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []


_free = _Free()


def take(like: Tensor, lanes: int, size: int) -> Tensor:
    """`[lanes, size]` in the dtype of `like`, with anything in it."""
    for k, tensor in enumerate(_free.tensors):
        if tensor.shape == (lanes, size) and tensor.dtype == like.dtype:
            return _free.tensors.pop(k)
    return like.new_empty(lanes, size)


def give(tensor: Tensor) -> None:
    """What `take` gave, once nothing reads it any more."""
    _free.tensors = [*_free.tensors[-(MOST_FREE - 1) :], tensor.detach()]


def once(ctx: Any) -> None:
    """RuntimeError where a way back is taken again: what was kept for it is someone else's by then."""
    if getattr(ctx, "spent", False):
        raise RuntimeError("the gradient of a layer of lanes that runs in C can be taken once")
    ctx.spent = True


def pointer(tensor: Tensor | None) -> int | None:
    """Its address; None for one that is not there or has nothing in it."""
    return None if tensor is None or not tensor.numel() else tensor.data_ptr()


def rows(tensor: Tensor) -> Tensor:
    """The tensor, or a copy whose last axis is contiguous."""
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] == 1 else tensor.contiguous()


def by_lane(tensor: Tensor) -> Tensor:
    """Parameters `[lanes, ...]`, or a copy, so that each lane's are contiguous; lanes may lie apart."""
    return tensor if not tensor.numel() or tensor[0].is_contiguous() else tensor.contiguous()


def strides(tensor: Tensor, axes: Sequence[int]) -> list[int]:
    """Numbers from one to the next along these axes."""
    return [tensor.stride(axis) for axis in axes]
