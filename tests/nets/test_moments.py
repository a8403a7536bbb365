"""Means and gains against the reference table (quadrature done elsewhere), closed forms, and sampling."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from slalom.core.errors import BadValueError, UnknownNameError
from slalom.nets.activations import ACTIVATIONS, NAMES, entry, maxout_moments, moments, relative_cost

# name: mean, gain, backward gain; the reference's figures, 4 digits.
TABLE = {
    "sigmoid": (0.5, 1.8462, 4.7227), "tanh": (0.0, 1.5925, 1.4674), "relu": (0.3989, 1.4142, 1.4142),
    "leaky_relu": (0.3950, 1.4141, 1.4141), "prelu": (0.2992, 1.3720, 1.3720), "elu": (0.1605, 1.2452, 1.2234),
    "gelu": (0.2821, 1.5335, 1.4811), "silu": (0.2066, 1.6765, 1.6233),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_reference_table(name):
    found = moments(ACTIVATIONS[name].make().double())
    for ours, theirs in zip((found.mean, found.gain, found.backward_gain), TABLE[name], strict=True):
        assert ours == pytest.approx(theirs, abs=1.01e-4)


@pytest.mark.parametrize(("k", "mean", "gain"), [(2, 0.5642, 1.0), (3, 0.8463, 0.8854), (4, 1.0294, 0.8029), (5, 1.1630, 0.7454)])
def test_maxout_table(k, mean, gain):
    found = maxout_moments(k)
    assert (found.mean, found.gain, found.backward_gain) == (pytest.approx(mean, abs=6e-5), pytest.approx(gain, abs=6e-5), 1.0)


def test_closed_forms():
    relu = moments(torch.relu)
    assert relu.mean == pytest.approx(1 / math.sqrt(2 * math.pi), rel=1e-12)
    assert relu.centred_gain == pytest.approx(1 / math.sqrt(0.5 - 1 / (2 * math.pi)), rel=1e-12)
    assert (relu.growth, relu.centred_growth) == (pytest.approx(1, rel=1e-12), pytest.approx(1, rel=1e-12))
    assert maxout_moments(2).mean == pytest.approx(1 / math.sqrt(math.pi), rel=1e-12)
    selu = moments(nn.SELU().double())  # Klambauer et al.: N(0, 1) is its fixed point
    assert (selu.mean, selu.square) == (pytest.approx(0, abs=1e-7), pytest.approx(1, abs=1e-7))
    assert moments(lambda x: x * x).square == pytest.approx(3, rel=1e-12)


def test_growth_is_the_slope_of_the_variance_map():
    for name in ("silu", "gelu", "softplus", "tanh"):
        module = ACTIVATIONS[name].make().double()
        found, step = moments(module), 1e-5

        def squared(q, module=module):
            return moments(lambda z: module(z * math.sqrt(q)))

        growth = (squared(1 + step).square - squared(1 - step).square) / (2 * step) * found.gain**2
        centred = (squared(1 + step).std ** 2 - squared(1 - step).std ** 2) / (2 * step) * found.centred_gain**2
        assert (found.growth, found.centred_growth) == (pytest.approx(growth, rel=1e-6), pytest.approx(centred, rel=1e-6))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_range_monotony_and_saturation_hold_on_a_grid(name):
    known = ACTIVATIONS[name]
    x = torch.linspace(-60, 60, 24001, dtype=torch.float64).requires_grad_()
    y = known.make().double()(x)
    slope = torch.autograd.grad(y.sum(), x)[0]
    low, high = (float(v.strip("[]() ")) for v in known.range.split(","))
    assert float(y.detach().min()) >= low - 1e-4
    assert float(y.detach().max()) <= high + 1e-4
    if math.isfinite(low) and low != 0:
        assert float(y.detach().min()) == pytest.approx(low, abs=1e-3)
    assert bool((slope >= 0).all()) == known.monotone
    steepest = float(slope.abs().max())
    flat = (abs(float(slope[0])) < 1e-3 * steepest, abs(float(slope[-1])) < 1e-3 * steepest)
    assert {(True, True): "both", (True, False): "left", (False, False): "nowhere"}[flat] == known.saturates


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_tails_are_exact_and_finite(name, dtype):
    x = torch.tensor([-1e4, -1000.0, -100.0, -30.0, -8.0, 0.0, 8.0, 30.0, 100.0, 1000.0, 1e4], dtype=dtype)
    wide, narrow = x.double().requires_grad_(), x.clone().requires_grad_()
    exact = ACTIVATIONS[name].make().double()(wide)
    ours = ACTIVATIONS[name].make().to(dtype)(narrow)
    exact.sum().backward()
    ours.sum().backward()
    eps = torch.finfo(dtype).eps
    for a, b in ((ours, exact), (narrow.grad, wide.grad)):
        torch.testing.assert_close(a.detach().double(), b.detach(), rtol=4 * eps, atol=4 * eps)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_second_derivatives(name):
    x = torch.tensor([-2.3, -0.7, 0.4, 1.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(ACTIVATIONS[name].make().double(), (x,))


def test_what_is_no_activation_is_refused():
    with pytest.raises(BadValueError, match="must be elementwise"):
        moments(lambda x: x.sum())
    with pytest.raises(BadValueError, match="NaN or infinity"):
        moments(torch.log)
    with pytest.raises(UnknownNameError, match="did you mean 'gelu'"):
        entry("gellu")


def test_every_entry_is_whole():
    for name in NAMES:
        known = entry(name)
        assert known.doc
        assert known.formula
        assert known.derivative
        assert known.source or name == "identity"


def test_costs_are_relative_to_relu():
    costs = relative_cost({"same": nn.ReLU(), "twice": nn.Sequential(*(nn.Tanh() for _ in range(20)))}, elements=65536, repeats=3)
    assert costs["twice"] > costs["same"] > 0  # twenty tanh against one ReLU: no machine is that noisy
