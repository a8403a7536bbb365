"""The elementwise words: the same numbers for floats, arrays and tensors; NaN; dtypes under promotion and vmap."""

import numpy as np
import pytest
import torch

from slalom.core import ops

NAN = float("nan")
WORDS = {"sqrt": 2.25, "exp": 0.5, "absolute": -1.5, "sign": -0.3}


@pytest.mark.parametrize("word", WORDS)
def test_one_argument_words_agree_over_kinds(word):
    f, x = getattr(ops, word), WORDS[word]
    assert f(x) == f(np.array([x]))[0] == f(torch.tensor([x], dtype=torch.float64)).item()


@pytest.mark.parametrize("word", ["maximum", "minimum"])
def test_pairs_agree_and_nan_wins(word):
    f, builtin = getattr(ops, word), {"maximum": max, "minimum": min}[word]
    for a, b in ((1.0, 2.0), (-1.0, -3.0), (0.0, 0.0)):
        wanted = builtin(a, b)
        assert f(a, b) == wanted
        assert f(np.array([a]), b)[0] == wanted
        assert f(torch.tensor([a]), b).item() == wanted
        assert f(a, torch.tensor([b])).item() == wanted
    for a, b in ((NAN, 1.0), (1.0, NAN)):
        assert np.isnan(f(a, b))
        assert f(torch.tensor([a]), torch.tensor([b])).isnan().all()
        assert f(torch.tensor([a]), b).isnan().all()


@pytest.mark.parametrize("word", ["sqrt", "exp", "absolute", "sign"])
def test_nan_goes_through(word):
    assert getattr(ops, word)(torch.tensor([NAN])).isnan().all()
    assert np.isnan(getattr(ops, word)(NAN))


def test_sign():
    assert ops.sign(torch.tensor([-2.0, 0.0, 3.0])).tolist() == [-1, 0, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_float64_coefficient_does_not_widen(dtype):
    x, c = torch.ones(3, dtype=dtype), torch.tensor(2.0, dtype=torch.float64)
    for made in (ops.maximum(x, c), ops.minimum(c, x), ops.where(x > 0, c, x), ops.where(c > 1, x, c), ops.where(x > 0, x, 0)):
        assert made.dtype == dtype
        assert made.shape == (3,)
    lanes, cs = torch.ones(2, 3, dtype=dtype), torch.tensor([1.0, 2.0], dtype=torch.float64)
    for f in (lambda x, c: ops.maximum(x, c), lambda x, c: ops.where(c > 1.5, x, c), lambda x, c: ops.where(x > c, x, 1)):
        made = torch.vmap(f)(lanes, cs)
        assert made.dtype == dtype
        assert made.shape == (2, 3)


def test_where_selects_and_nothing_leaks():
    x = torch.tensor([NAN, 1.0])
    assert ops.where(x == x, x, 0).tolist() == [0.0, 1.0]
    assert ops.where(True, 1, x) == 1
    assert ops.where(np.bool_(False), x, 2) == 2
    assert ops.where(np.array([True, False]), 1.0, 2.0).tolist() == [1.0, 2.0]
    assert ops.where(torch.tensor(True), 1.0, 2.0).item() == 1.0


def test_a_window_holds_the_last_values_in_order():
    arrays = [np.zeros((3, 2))] + [np.full(2, float(k)) for k in range(1, 6)]
    window = arrays[0]
    tensor = torch.zeros(3, 2, dtype=torch.float64)
    for k, value in enumerate(arrays[1:], 1):
        window, tensor = ops.push(window, value), ops.push(tensor, torch.from_numpy(value))
        last = [max(0, k - 2), max(0, k - 1), k]
        assert window[:, 0].tolist() == tensor[:, 0].tolist() == last
        assert ops.total(window).tolist() == ops.total(tensor).tolist() == [sum(last)] * 2
    lanes = torch.vmap(ops.push)(torch.zeros(4, 3, 2), torch.ones(4, 2))
    assert lanes.shape == (4, 3, 2)
    assert lanes.sum(1).eq(1).all()
    assert lanes[:, 2].eq(1).all()
