"""Recurrent layers over lanes: inputs of all time steps in one batched product, then a loop over the cell.

`torch.func.vmap` has no rule for torch's own. A layer here runs one direction; several layers, both directions and dropout
between layers are taken apart in `layered.py`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from slalom.engines.lanes.layered import RECURRENT, is_packed, layered
from slalom.engines.lanes.native import recurrent as native
from slalom.engines.lanes.native.sequences import in_c, runs_in_c
from slalom.engines.lanes.stack import cells
from slalom.engines.lanes.stack.forms import LaneForms, lane_form
from slalom.engines.lanes.stack.linear import linear, project


def run_layer(
    lanes: LaneForms, func: Any, x: Tensor, hx: tuple[Tensor, ...], weights: list[Tensor], has_biases: bool, reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """One direction of one layer: `x [time, batch, in]` to outputs `[time, batch, hidden]` and the last `[batch, hidden]`."""
    if len(weights) != (4 if has_biases else 2):
        raise NotImplementedError("an LSTM with proj_size has no form for lanes")
    w_ih, w_hh, b_ih, b_hh = (*weights, None, None)[:4]
    kind = func.__name__

    def run(x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None, *h: Tensor) -> tuple[Tensor, ...]:
        if runs_in_c(x, w_ih, w_hh, b_ih, b_hh, *h):
            none = x.new_empty(0)
            params = [w_ih, w_hh, none if b_ih is None else b_ih, none if b_hh is None else b_hh]
            made = native.recurrent(x, h[0], h[1] if len(h) > 1 else none, params, kind, reverse)
            return tuple(made[: 1 + len(h)])
        return by_torch(x, w_ih, w_hh, b_ih, b_hh, *h)

    def by_torch(
        x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None, *h: Tensor
    ) -> tuple[Tensor, ...]:
        x = x.flip(1) if reverse else x
        start = [v.contiguous() for v in h]
        if kind == "gru":
            bias = w_hh.new_zeros(w_hh.shape[:2]) if b_hh is None else b_hh
            states, _ = torch.ops.slalom.gru_steps(project(x, w_ih, b_ih), start[0], w_hh, bias)
            all_states: tuple[Tensor, ...] = (states,)
        else:
            gates = project(x, w_ih, None if b_ih is None or b_hh is None else b_ih + b_hh)
            if kind == "lstm":
                states, memory, _ = torch.ops.slalom.lstm_steps(gates, start[0], start[1], w_hh)
                all_states = (states, memory)
            else:
                all_states = (torch.ops.slalom.rnn_steps(gates, start[0], w_hh, kind == "rnn_relu"),)
        out = all_states[0][:, 1:]
        return (out.flip(1) if reverse else out, *(s[:, -1] for s in all_states))

    out, *last = lanes.together(run, x, w_ih, w_hh, b_ih, b_hh, *hx)
    return out, tuple(last)


assert cells.REGISTERED  # the operations that run_layer calls by name


def recurrent(func: Any, lanes: LaneForms, *args: Any) -> tuple[Tensor, ...]:
    """`torch.gru` and its kin, as their modules call them."""
    if is_packed(args):
        raise NotImplementedError("a packed sequence has no form for lanes")

    def layer(
        func: Any, x: Tensor, hx: Any, weights: list[Tensor], has_biases: bool, both: bool, batch_first: bool
    ) -> tuple[Tensor, ...]:
        states = hx if isinstance(hx, tuple) else (hx,)
        x = x.transpose(0, 1) if batch_first else x
        per = len(weights) // (1 + both)
        outs, ends = [], []
        for way in range(1 + both):
            own = tuple(s[way] for s in states)
            out, last = run_layer(lanes, func, x, own, weights[way * per : (way + 1) * per], has_biases, way == 1)
            outs.append(out)
            ends.append(last)
        joined = torch.cat(outs, -1) if both else outs[0]
        last_states = (torch.stack(parts) for parts in zip(*ends, strict=True))
        return (joined.transpose(0, 1) if batch_first else joined, *last_states)

    return layered(func, args, layer, lanes.drop_all)


def how(device: torch.device) -> str:
    """What it comes down to on this machine, for tensors on this device."""
    return "a loop over time steps in C, a lane at a time" if in_c(device) else "a loop over time steps, all lanes in each"


for _function in RECURRENT:
    lane_form(_function, how=how)(partial(recurrent, _function))


CELL = "two batched matrix products"


def _cell(activation: Any) -> Any:
    def form(
        lanes: LaneForms, x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
    ) -> Any:
        return activation(linear(lanes, x, w_ih, b_ih) + linear(lanes, h, w_hh, b_hh))

    return form


lane_form(torch.rnn_tanh_cell, how=CELL)(_cell(torch.tanh))
lane_form(torch.rnn_relu_cell, how=CELL)(_cell(torch.relu))


@lane_form(torch.gru_cell, how=CELL)
def gru_cell(
    lanes: LaneForms, x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """`torch.nn.GRUCell`'s function."""
    from_x, from_h = linear(lanes, x, w_ih, b_ih).chunk(3, -1), linear(lanes, h, w_hh, b_hh).chunk(3, -1)
    r, z = (torch.sigmoid(a + b) for a, b in zip(from_x[:2], from_h[:2], strict=True))
    return torch.lerp(torch.tanh(from_x[2] + r * from_h[2]), h, z)


@lane_form(torch.lstm_cell, how=CELL)
def lstm_cell(
    lanes: LaneForms, x: Tensor, hx: tuple[Tensor, Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`torch.nn.LSTMCell`'s function."""
    h, c = hx
    i, f, g, o = (linear(lanes, x, w_ih, b_ih) + linear(lanes, h, w_hh, b_hh)).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c
