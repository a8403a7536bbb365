"""Recurrent layers in C against torch's own and their autograd, lane by lane."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from slalom.engines.lanes.native.recurrent import recurrent

CELLS = {
    "gru": lambda i, h, bias: nn.GRU(i, h, bias=bias),
    "lstm": lambda i, h, bias: nn.LSTM(i, h, bias=bias),
    "rnn_tanh": lambda i, h, bias: nn.RNN(i, h, bias=bias),
    "rnn_relu": lambda i, h, bias: nn.RNN(i, h, bias=bias, nonlinearity="relu"),
}
SIZES = [(1, 1, 1, 1), (5, 7, 3, 6), (4, 16, 8, 9), (3, 33, 5, 17)]  # time, batch, in, hidden


def compare(
    kind: str,
    sizes: tuple[int, int, int, int],
    bias: bool,
    reverse: bool,
    batch_first: bool,
    dtype: torch.dtype = torch.float64,
    tolerance: float = 1e-11,
) -> None:
    time, batch, inputs, hidden = sizes
    torch.manual_seed(0)
    layers = [CELLS[kind](inputs, hidden, bias).to(dtype) for _ in range(3)]
    names = ["weight_ih_l0", "weight_hh_l0", *(["bias_ih_l0", "bias_hh_l0"] if bias else [])]
    row = torch.stack([torch.cat([getattr(m, n).detach().flatten() for n in names]) for m in layers])  # lanes lie apart
    shapes = [getattr(layers[0], n).shape for n in names]
    parts = row.split([s.numel() for s in shapes], 1)
    params = [p.reshape(3, *s).requires_grad_() for p, s in zip(parts, shapes, strict=True)]
    x = torch.randn(3, batch, time, inputs, dtype=dtype).transpose(1, 2) if batch_first else torch.randn(3, time, batch, inputs)
    x = x.to(dtype).requires_grad_()
    states = [torch.randn(3, batch, hidden, dtype=dtype, requires_grad=True) for _ in range(1 + (kind == "lstm"))]
    weights = [torch.randn(3, time, batch, hidden, dtype=dtype), *(torch.randn(3, batch, hidden, dtype=dtype) for _ in states)]
    none = x.new_empty(0)
    given = [*params, *[none] * (4 - len(params))]

    def ours() -> tuple[list[Tensor], tuple[Tensor, ...]]:
        out = recurrent(x, states[0], states[1] if len(states) > 1 else none, given, kind, reverse)[: 1 + len(states)]
        return list(out), torch.autograd.grad(
            sum((a * w).sum() for a, w in zip(out, weights, strict=True)), [x, *states, *params]
        )

    ours()  # what is left in memory must not matter
    outs, grads = ours()
    for k, layer in enumerate(layers):
        own_x = x[k].detach().requires_grad_()
        own = [s[k].detach().unsqueeze(0).requires_grad_() for s in states]
        out, last = layer(own_x.flip(0) if reverse else own_x, tuple(own) if len(own) > 1 else own[0])
        found = [out.flip(0) if reverse else out, *(s[0] for s in (last if len(own) > 1 else (last,)))]
        loss = sum((a * w[k]).sum() for a, w in zip(found, weights, strict=True))
        expected = torch.autograd.grad(loss, [own_x, *own, *(getattr(layer, n) for n in names)])
        for a, b in zip(outs, found, strict=True):
            torch.testing.assert_close(a[k], b, rtol=tolerance, atol=tolerance)
        for a, b in zip(grads, expected, strict=True):
            torch.testing.assert_close(a[k], b.reshape(a[k].shape), rtol=tolerance, atol=tolerance * float(b.abs().max()))


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("sizes", SIZES)
def test_a_layer_is_torchs(kind: str, sizes: tuple[int, int, int, int]) -> None:
    odd = sizes[1] % 2 == 1
    compare(kind, sizes, bias=odd, reverse=not odd, batch_first=odd)
    compare(kind, sizes, bias=True, reverse=odd, batch_first=not odd)


@pytest.mark.parametrize("kind", CELLS)
def test_in_float32(kind: str) -> None:
    compare(kind, (6, 19, 4, 11), True, True, True, torch.float32, 2e-5)


def test_a_gradient_is_taken_once() -> None:
    x, h = torch.randn(2, 3, 4, 2), torch.zeros(2, 4, 5)
    params = [torch.randn(2, 15, 2, requires_grad=True), torch.randn(2, 15, 5), torch.empty(0), torch.empty(0)]
    out = recurrent(x, h, torch.empty(0), params, "gru", False)[0].sum()
    out.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        out.backward()


def test_a_lane_has_the_same_bits_in_any_company() -> None:
    torch.manual_seed(0)
    x, h = torch.randn(5, 6, 7, 3), torch.randn(5, 7, 9)
    params = [torch.randn(5, 27, 3), torch.randn(5, 27, 9), torch.randn(5, 27), torch.randn(5, 27)]

    def gradients(lanes: list[int]) -> list[Tensor]:
        own = [p[lanes].clone().requires_grad_() for p in params]
        recurrent(x[lanes], h[lanes], torch.empty(0), own, "gru", False)[0].square().sum().backward()
        return [p.grad for p in own]

    every = gradients([0, 1, 2, 3, 4])
    for lanes in ([3], [4, 0]):
        for a, b in zip(gradients(lanes), every, strict=True):
            assert torch.equal(a, b[lanes])
