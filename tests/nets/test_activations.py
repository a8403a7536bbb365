"""Swish and Maxout against torch's functions, in double-backward, under compile-free vmap, and in the tails."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from slalom.core.errors import BadValueError, UnknownNameError
from slalom.nets import ACTIVATIONS, Maxout, Swish, activation

X = torch.linspace(-30, 30, 241, dtype=torch.float64)


def test_swish_is_silu_at_beta_one_and_halves_at_zero():
    torch.testing.assert_close(Swish()(X), nn.functional.silu(X), rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(Swish(beta=0.0)(X), X / 2)
    torch.testing.assert_close(Swish(beta=200.0)(X), nn.functional.relu(X), rtol=1e-12, atol=1e-12)


def test_swish_beta_trains_only_when_asked():
    assert not list(Swish(2.0).parameters())
    assert "beta" in Swish(2.0).state_dict()
    swish = Swish(2.0, trainable=True).double()
    assert torch.autograd.gradcheck(lambda x: swish(x), X[::20].clone().requires_grad_())
    assert torch.autograd.gradgradcheck(lambda x: swish(x), X[::20].clone().requires_grad_())
    swish(X).sum().backward()
    expected = (X**2 * torch.sigmoid(2 * X) * (1 - torch.sigmoid(2 * X))).sum()
    torch.testing.assert_close(swish.beta.grad, expected)


def test_swish_keeps_bfloat16():
    assert Swish(1.5)(X.bfloat16()).dtype == torch.bfloat16


def test_maxout_is_the_largest_of_its_maps():
    torch.manual_seed(0)
    maxout = Maxout(4, 3, pieces=5).double()
    x = torch.randn(2, 7, 4, dtype=torch.float64)
    weight, bias = maxout.linear.weight.view(3, 5, 4), maxout.linear.bias.view(3, 5)
    expected = (torch.einsum("abi,oki->abok", x, weight) + bias).amax(-1)
    torch.testing.assert_close(maxout(x), expected)
    assert torch.autograd.gradgradcheck(lambda v: maxout(v), x.requires_grad_())


def test_maxout_of_zero_and_x_is_relu():
    maxout = Maxout(1, 1, pieces=2).double()
    with torch.no_grad():
        maxout.linear.weight.copy_(torch.tensor([[0.0], [1.0]]))
        maxout.linear.bias.zero_()
    torch.testing.assert_close(maxout(X[:, None])[:, 0], torch.relu(X))


@pytest.mark.parametrize("make", [lambda: Maxout(4, 3), lambda: nn.Sequential(nn.Linear(4, 3), Swish(trainable=True))])
def test_lanes_can_stack_them(make):
    torch.manual_seed(0)
    models = [make() for _ in range(3)]
    x = torch.randn(5, 4)
    parameters, buffers = stack_module_state(models)
    stacked = vmap(lambda p, b: functional_call(models[0], (p, b), (x,)))(parameters, buffers)
    for one, model in zip(stacked, models, strict=True):
        torch.testing.assert_close(one, model(x))


def test_errors():
    with pytest.raises(BadValueError, match="Maxout: pieces must be a whole number >= 1, got 0"):
        Maxout(4, 3, pieces=0)
    with pytest.raises(BadValueError, match="beta must be a finite number"):
        Swish(float("nan"))
    with pytest.raises(UnknownNameError, match="did you mean 'relu'"):
        activation("rellu")


def test_names_are_torchs_modules():
    assert {name: type(activation(name)) for name in ("elu", "swish", "prelu")} == {
        "elu": nn.ELU, "swish": nn.SiLU, "prelu": nn.PReLU,
    }  # fmt: skip
    assert all(entry.doc for entry in ACTIVATIONS.values())
