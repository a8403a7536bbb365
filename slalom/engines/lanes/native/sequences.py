"""The library of layers over sequences in C (sequences.c and those that build on it), and how tensors are handed to it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from slalom.engines.kernels import NoCompilerError
from slalom.engines.kernels.cache import library
from slalom.engines.lanes.native.chain import FLAGS, source

FILES = ("gemm.c", "functions.c", "layers.c", "sequences.c", "recurrent.c", "attention.c", "encoder.c")
SYMBOLS = tuple(f"slalom_{layer}{what}" for layer in ("recurrent", "encoder") for what in ("", "_back", "_kept", "_scratch"))


@cache
def sequences(dtype: torch.dtype) -> ctypes.CDLL:
    """The library for tensors of this dtype; NoCompilerError where none can be built."""
    made = library(source(dtype, FILES), SYMBOLS, FLAGS)
    for name in SYMBOLS:
        getattr(made, name).restype = ctypes.c_int64 if name.endswith(("kept", "scratch")) else None
    return made


def runs_in_c(*tensors: Tensor | None) -> bool:
    """Whether there is a library for tensors like these."""
    kinds = {t.dtype for t in tensors if t is not None}
    if len(kinds) != 1 or not kinds <= {torch.float32, torch.float64}:
        return False
    try:
        sequences(*kinds)
    except NoCompilerError:
        return False
    return True


def in_c() -> bool:
    """Whether float32 layers run in C."""
    return runs_in_c(torch.empty(0))


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
