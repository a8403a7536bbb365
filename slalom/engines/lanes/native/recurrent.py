"""Recurrent layers over lanes as operations of torch that run in C, forward and backward: see recurrent.c."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from slalom.engines.lanes.native.sequences import by_lane, give, once, pointer, rows, sequences, strides, take

KINDS = ("gru", "lstm", "rnn_tanh", "rnn_relu")
_WHOLE = ("lanes", "time", "batch", "in", "hidden", "kind", "reverse", "keep")
_STEPS = tuple(f"{name}_{step}" for name in ("x", "out", "dx", "d") for step in ("lane", "time", "sample"))
_AXES = (0, 1, 2)  # of lanes, time steps and samples in a sequence


class _Call(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in (*_WHOLE, *_STEPS)),
        ("by_lane", ctypes.c_int64 * 4),
        ("params", ctypes.c_void_p * 4),
        *((name, ctypes.c_void_p) for name in (
            "x", "h", "c", "out", "last_h", "last_c", "kept", "scratch", "d_out", "d_last_h", "d_last_c", "dx", "dh", "dc",
        )),
        ("grads", ctypes.c_void_p * 4),
    ]  # fmt: skip


def _call(kind: str, reverse: bool, x: Tensor, h: Tensor, params: Sequence[Tensor], **tensors: Tensor | None) -> _Call:
    given = {f"{name}_{step}": s for name, t in tensors.items() if name in ("out", "dx") and t is not None
             for step, s in zip(("lane", "time", "sample"), strides(t, _AXES), strict=True)}  # fmt: skip
    given |= dict(zip(_STEPS, strides(x, _AXES), strict=False))
    if (d := tensors.get("d_out")) is not None:
        given |= dict(zip(_STEPS[9:], strides(d, _AXES), strict=True))
    whole = (*x.shape[:3], x.shape[3], h.shape[2], KINDS.index(kind), int(reverse))
    return _Call(
        **dict(zip(_WHOLE, whole, strict=False)), **given, x=x.data_ptr(), h=h.data_ptr(),
        by_lane=(ctypes.c_int64 * 4)(*(t.stride(0) if t.numel() else 0 for t in params)),
        params=(ctypes.c_void_p * 4)(*map(pointer, params)), **{k: pointer(t) for k, t in tensors.items()},
    )  # fmt: skip


@torch.library.custom_op("slalom::recurrent", mutates_args=())
def recurrent(
    x: Tensor, h: Tensor, c: Tensor, params: Sequence[Tensor], kind: str, reverse: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One direction of one layer: outputs `[lanes, time, batch, hidden]`, last states (and memory) `[lanes, batch, hidden]`.

    `x [lanes, time, batch, in]`; `h, c`: states at the start, c empty but for an LSTM; `params`: weights of the inputs and of
    the states and their biases, each `[lanes, ...]` in torch's order of gates, biases empty where there are none.
    The last of what it returns is what its gradient needs.
    """
    keeps = any(t.requires_grad for t in (x, h, c, *params))
    x, h, c, params = rows(x), h.contiguous(), c.contiguous(), [by_lane(p) for p in params]
    n, time, batch, _ = x.shape
    # Samples first, as most models have them, who take the last step or hand all on to a layer that reads any order.
    out = x.new_empty(n, batch, time, h.shape[2]).transpose(1, 2)
    last_h, last_c = torch.empty_like(h), torch.empty_like(c)
    call = _call(kind, reverse, x, h, params, c=c, out=out, last_h=last_h, last_c=last_c)
    call.keep = keeps
    lib = sequences(x.dtype)
    size = lib.slalom_recurrent_kept(ctypes.byref(call))
    kept = take(x, n, size) if keeps else x.new_empty(1, size)
    scratch = x.new_empty(lib.slalom_recurrent_scratch(ctypes.byref(call)))
    call.kept, call.scratch = kept.data_ptr(), scratch.data_ptr()
    lib.slalom_recurrent(ctypes.byref(call))
    return out, last_h, last_c, kept


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, h, c, params, ctx.kind, ctx.reverse = inputs
    ctx.save_for_backward(x, h, c, output[3], *params)
    ctx.mark_non_differentiable(output[3])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, d_out: Tensor | None, d_h: Tensor | None, d_c: Tensor | None, _kept: Any) -> tuple[Any, ...]:
    once(ctx)
    x, h, c, kept, *params = ctx.saved_tensors
    x, params = rows(x), [by_lane(p) for p in params]
    grads = [torch.empty(p.shape, dtype=p.dtype) for p in params]
    dx = x.new_empty(x.shape) if ctx.needs_input_grad[0] else None
    dh, dc = x.new_empty(h.shape), x.new_empty(c.shape)
    held = {
        "d_out": None if d_out is None else rows(d_out),
        "d_last_h": None if d_h is None else d_h.contiguous(),
        "d_last_c": None if d_c is None else d_c.contiguous(),
    }
    call = _call(ctx.kind, ctx.reverse, x, h, params, kept=kept, dx=dx, dh=dh, dc=dc, **held)
    call.grads = (ctypes.c_void_p * 4)(*map(pointer, grads))
    lib = sequences(x.dtype)
    scratch = x.new_empty(lib.slalom_recurrent_scratch(ctypes.byref(call)))
    call.scratch = scratch.data_ptr()
    lib.slalom_recurrent_back(ctypes.byref(call))
    give(kept)
    return dx, dh, dc if c.numel() else None, grads, None, None


recurrent.register_autograd(_backward, setup_context=_keep)
