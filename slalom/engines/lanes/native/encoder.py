"""Layers of a transformer encoder over lanes as an operation of torch that runs in C, forward and backward: see encoder.c."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from slalom.engines.lanes.native.layers import FUNCTIONS
from slalom.engines.lanes.native.sequences import by_lane, give, once, pointer, rows, sequences, strides, take

PARAMETERS = 12  # weight and bias of: query, key and value; output; both dense layers; both norms
_WHOLE = ("lanes", "time", "batch", "width", "heads", "inner", "function", "first", "keep", "site")
_STEPS = tuple(f"{name}_{step}" for name in ("x", "out", "dx", "d") for step in ("lane", "time", "sample"))


class _Call(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in (*_WHOLE, *_STEPS, "mask_time", "mask_sample")),
        ("by_lane", ctypes.c_int64 * PARAMETERS),
        ("params", ctypes.c_void_p * PARAMETERS),
        *((name, ctypes.c_void_p) for name in ("x", "mask", "keys", "out", "kept", "scratch", "d_out", "dx")),
        ("grads", ctypes.c_void_p * PARAMETERS),
        ("eps", ctypes.c_double * 2),
        ("shares", ctypes.c_double * 4),
    ]  # fmt: skip


def _call(
    x: Tensor, params: Sequence[Tensor], mask: Tensor | None, keys: Tensor, whole: Sequence[int], real: Sequence[float],
    out: Tensor | None = None, d_out: Tensor | None = None, dx: Tensor | None = None,
) -> _Call:  # fmt: skip
    heads, function, first, batch_first, site = whole
    n, width, inner = len(x), x.shape[3], params[4].shape[1]
    axes = (0, 2, 1) if batch_first else (0, 1, 2)  # lanes, time steps, samples
    time, batch = x.shape[axes[1]], x.shape[axes[2]]
    steps: dict[str, int] = {}
    for name, tensor in (("x", x), ("out", out), ("d", d_out), ("dx", dx)):
        if tensor is not None:
            steps |= dict(zip((f"{name}_lane", f"{name}_time", f"{name}_sample"), strides(tensor, axes), strict=True))
    numbers = (n, time, batch, width, heads, inner, function, first, 0, site)
    return _Call(
        **dict(zip(_WHOLE, numbers, strict=True)), **steps,
        mask_time=1 if batch_first else batch, mask_sample=time if batch_first else 1,
        by_lane=(ctypes.c_int64 * PARAMETERS)(*(t.stride(0) if t.numel() else 0 for t in params)),
        params=(ctypes.c_void_p * PARAMETERS)(*map(pointer, params)),
        x=x.data_ptr(), mask=pointer(mask), keys=keys.data_ptr(), out=pointer(out), d_out=pointer(d_out), dx=pointer(dx),
        eps=(ctypes.c_double * 2)(*real[:2]), shares=(ctypes.c_double * 4)(*real[2:]),
    )  # fmt: skip


@torch.library.custom_op("slalom::encoder_layer", mutates_args=())
def encoder_layer(
    x: Tensor, params: Sequence[Tensor], mask: Tensor | None, keys: Tensor, whole: Sequence[int], real: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """`torch.nn.TransformerEncoderLayer`'s output, shaped like `x`, and what its gradient needs.

    `x [lanes, batch, time, width]`, or time before batch; `params`: `PARAMETERS` of them, each `[lanes, ...]`, empty where there
    is none; `mask [time, time]`: added to the scores; `keys [lanes]`: of dropout. `whole`: heads, number of the activation in
    functions.c, whether norms come first, whether the batch does, dropout's first site. `real`: both eps, four dropout shares.
    """
    keeps = any(t.requires_grad for t in (x, *params))
    x, params, keys = rows(x), [by_lane(p) for p in params], keys.contiguous()
    mask = None if mask is None else mask.contiguous()
    out = x.new_empty(x.shape)
    call = _call(x, params, mask, keys, whole, real, out=out)
    call.keep = keeps
    lib = sequences(x.dtype)
    size = lib.slalom_encoder_kept(ctypes.byref(call))
    kept = take(x, len(x), size) if keeps else x.new_empty(1, size)
    scratch = x.new_empty(lib.slalom_encoder_scratch(ctypes.byref(call)))
    call.kept, call.scratch = kept.data_ptr(), scratch.data_ptr()
    lib.slalom_encoder(ctypes.byref(call))
    return out, kept


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, params, mask, keys, ctx.whole, ctx.real = inputs
    ctx.save_for_backward(x, mask, keys, output[1], *params)
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, d_out: Tensor, _kept: Any) -> tuple[Any, ...]:
    once(ctx)
    x, mask, keys, kept, *params = ctx.saved_tensors
    params, keys, d_out = [by_lane(p) for p in params], keys.contiguous(), rows(d_out)
    mask = None if mask is None else mask.contiguous()
    grads = [torch.empty(p.shape, dtype=p.dtype) for p in params]
    dx = x.new_empty(x.shape)
    call = _call(x, params, mask, keys, ctx.whole, ctx.real, d_out=d_out, dx=dx)
    call.grads = (ctypes.c_void_p * PARAMETERS)(*map(pointer, grads))
    lib = sequences(x.dtype)
    scratch = x.new_empty(lib.slalom_encoder_scratch(ctypes.byref(call)))
    call.kept, call.scratch = kept.data_ptr(), scratch.data_ptr()
    lib.slalom_encoder_back(ctypes.byref(call))
    give(kept)
    return dx, grads, None, None, None, None


encoder_layer.register_autograd(_backward, setup_context=_keep)

__all__ = ["FUNCTIONS", "encoder_layer"]
