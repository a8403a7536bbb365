"""The loops of recurrent cells as operations of torch, with gradients written out.

Autograd through a loop of slices fills a whole tensor of zeros for each slice, and sums weight gradients step by step; here
each time step writes into its place and weight gradients are one product over all time steps. Shapes: gates
`[lanes, time, batch, gates * hidden]`, states `[lanes, time + 1, batch, hidden]` (the first is the initial one).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_aten = torch.ops.aten


def _times(x: Tensor, size: int) -> list[tuple[Tensor, ...]]:
    """For each time step, the gates one by one."""
    return [part.chunk(part.shape[-1] // size, -1) for part in x.unbind(1)]


def _weight_gradient(d: Tensor, states: Tensor) -> Tensor:
    """Of the recurrent weights `[lanes, gates * hidden, hidden]`, over all time steps at once."""
    return torch.bmm(d.flatten(1, 2).transpose(1, 2), states[:, :-1].reshape(len(d), -1, states.shape[-1]))


@torch.library.custom_op("slalom::gru_steps", mutates_args=())
def gru_steps(gates: Tensor, h0: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """States, and what the gradient needs: reset, update and new gates, and the hidden part of the new one."""
    n, time, batch, _ = gates.shape
    size = h0.shape[-1]
    states, work = gates.new_empty(n, time + 1, batch, size), gates.new_empty(n, time, batch, 4 * size)
    states[:, 0] = h0
    across, offset = weight.transpose(1, 2), bias.unsqueeze(1)
    each = states.unbind(1)
    split = [2 * size, size]
    for t, (given, kept) in enumerate(zip(gates.unbind(1), work.unbind(1), strict=True)):
        own = torch.baddbmm(offset, each[t], across)
        (given_rz, given_n), (own_rz, own_n) = given.split_with_sizes(split, -1), own.split_with_sizes(split, -1)
        rz, new, hidden = kept.split_with_sizes([2 * size, size, size], -1)
        torch.add(given_rz, own_rz, out=rz).sigmoid_()
        hidden.copy_(own_n)
        torch.addcmul(given_n, rz[..., :size], own_n, out=new).tanh_()
        torch.lerp(new, each[t], rz[..., size:], out=each[t + 1])
    return states, work


def _gru_backward(ctx: Any, d_states: Tensor, _work: Tensor) -> tuple[Tensor, ...]:
    states, work, weight = ctx.saved_tensors
    n, time, batch, _ = work.shape
    size = states.shape[-1]
    d_given, d_own = work.new_empty(n, time, batch, 3 * size), work.new_empty(n, time, batch, 3 * size)
    raw = work.new_empty(n, batch, 2 * size)
    each, d_each, parts = states.unbind(1), d_states.unbind(1), _times(work, size)
    d_h = d_each[time]
    for t in range(time - 1, -1, -1):
        r, z, new, hidden = parts[t]
        passed = d_h * z
        d_new = _aten.tanh_backward(d_h - passed, new)
        torch.mul(d_new, hidden, out=raw[..., :size])
        torch.mul(d_h, each[t] - new, out=raw[..., size:])
        d_rz = _aten.sigmoid_backward(raw, work[:, t, :, : 2 * size])
        d_given[:, t, :, : 2 * size] = d_rz
        d_given[:, t, :, 2 * size :] = d_new
        d_own[:, t, :, : 2 * size] = d_rz
        torch.mul(d_new, r, out=d_own[:, t, :, 2 * size :])
        d_h = torch.baddbmm(passed, d_own[:, t], weight).add_(d_each[t])
    return d_given, d_h, _weight_gradient(d_own, states), d_own.sum((1, 2))


def _gru_keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*output, inputs[2])


@torch.library.custom_op("slalom::lstm_steps", mutates_args=())
def lstm_steps(gates: Tensor, h0: Tensor, c0: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """States, cell states, and the gates (input, forget, cell, output) after their activations."""
    n, time, batch, _ = gates.shape
    size = h0.shape[-1]
    states, memory = gates.new_empty(n, time + 1, batch, size), gates.new_empty(n, time + 1, batch, size)
    states[:, 0], memory[:, 0] = h0, c0
    work = gates.new_empty(n, time, batch, 4 * size)
    across = weight.transpose(1, 2)
    h, c = states.unbind(1), memory.unbind(1)
    for t, (given, (i, f, g, o)) in enumerate(zip(gates.unbind(1), _times(work, size), strict=True)):
        raw = torch.baddbmm(given, h[t], across)
        torch.sigmoid(raw[..., : 2 * size], out=work[:, t, :, : 2 * size])
        torch.tanh(raw[..., 2 * size : 3 * size], out=g)
        torch.sigmoid(raw[..., 3 * size :], out=o)
        torch.mul(f, c[t], out=c[t + 1]).addcmul_(i, g)
        torch.mul(o, torch.tanh(c[t + 1]), out=h[t + 1])
    return states, memory, work


def _lstm_backward(ctx: Any, d_states: Tensor, d_memory: Tensor, _work: Tensor) -> tuple[Tensor, ...]:
    states, memory, work, weight = ctx.saved_tensors
    n, time, batch, _ = work.shape
    size = states.shape[-1]
    d_gates, raw = torch.empty_like(work), work.new_empty(n, batch, 2 * size)
    c, d_hs, d_cs = memory.unbind(1), d_states.unbind(1), d_memory.unbind(1)
    parts, d_parts = _times(work, size), _times(d_gates, size)
    d_h, d_c = d_hs[time], d_cs[time]
    for t in range(time - 1, -1, -1):
        i, f, g, o = parts[t]
        active = torch.tanh(c[t + 1])
        d_c = d_c + _aten.tanh_backward(d_h * o, active)
        torch.mul(d_c, g, out=raw[..., :size])
        torch.mul(d_c, c[t], out=raw[..., size:])
        d_gates[:, t, :, : 2 * size] = _aten.sigmoid_backward(raw, work[:, t, :, : 2 * size])
        d_parts[t][2].copy_(_aten.tanh_backward(d_c * i, g))
        d_parts[t][3].copy_(_aten.sigmoid_backward(d_h * active, o))
        d_h = torch.baddbmm(d_hs[t], d_gates[:, t], weight)
        d_c = torch.addcmul(d_cs[t], d_c, f)
    return d_gates, d_h, d_c, _weight_gradient(d_gates, states)


def _lstm_keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*output, inputs[3])


@torch.library.custom_op("slalom::rnn_steps", mutates_args=())
def rnn_steps(gates: Tensor, h0: Tensor, weight: Tensor, relu: bool) -> Tensor:
    """States of the plain cell with tanh or relu."""
    n, time, batch, size = gates.shape
    states = gates.new_empty(n, time + 1, batch, size)
    states[:, 0] = h0
    across, each = weight.transpose(1, 2), states.unbind(1)
    for t, given in enumerate(gates.unbind(1)):
        raw = torch.baddbmm(given, each[t], across)
        torch.clamp(raw, min=0, out=each[t + 1]) if relu else torch.tanh(raw, out=each[t + 1])
    return states


def _rnn_backward(ctx: Any, d_states: Tensor) -> tuple[Tensor | None, ...]:
    states, weight = ctx.saved_tensors
    n, steps, batch, size = states.shape
    d_gates = states.new_empty(n, steps - 1, batch, size)
    each, d_each = states.unbind(1), d_states.unbind(1)
    d_h = d_each[-1]
    for t in range(steps - 2, -1, -1):
        if ctx.relu:
            d_gates[:, t] = _aten.threshold_backward(d_h, each[t + 1], 0)
        else:
            d_gates[:, t] = _aten.tanh_backward(d_h, each[t + 1])
        d_h = torch.baddbmm(d_each[t], d_gates[:, t], weight)
    return d_gates, d_h, _weight_gradient(d_gates, states), None


def _rnn_keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(output, inputs[2])
    ctx.relu = inputs[3]


gru_steps.register_autograd(_gru_backward, setup_context=_gru_keep)
lstm_steps.register_autograd(_lstm_backward, setup_context=_lstm_keep)
rnn_steps.register_autograd(_rnn_backward, setup_context=_rnn_keep)
REGISTERED = ("gru_steps", "lstm_steps", "rnn_steps")
