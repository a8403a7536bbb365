"""Folding against the product worked out by torch, and that what may not be folded is not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from slalom.core.errors import BadValueError
from slalom.nets import fold_linear


def test_three_layers_are_one():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 9), nn.Identity(), nn.Linear(9, 4, bias=False), nn.Dropout(0.0), nn.Linear(4, 3)).double()
    folded = fold_linear(net)
    assert folded.groups == (("0", "2", "4"),)
    assert len(folded.model) == 1
    x = torch.randn(7, 5, dtype=torch.float64)
    torch.testing.assert_close(folded.model(x), net(x), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(folded.model[0].weight, net[4].weight @ net[2].weight @ net[0].weight)
    assert len(net) == 5  # the caller's is as it was


@pytest.mark.parametrize("between", [nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm1d(4), nn.Flatten()])
def test_what_is_not_linear_stays(between):
    net = nn.Sequential(nn.Linear(3, 4), between, nn.Linear(4, 2))
    folded = fold_linear(net)
    assert folded.groups == ()
    assert "nothing to fold" in str(folded)
    assert len(folded.model) == 3


def test_nested_and_without_bias():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 5, bias=False), nn.Linear(5, 2, bias=False)))
    folded = fold_linear(net)
    assert folded.groups == (("2.0", "2.1"),)
    assert folded.model[2][0].bias is None
    assert folded.parameters == (16 + 20 + 10, 16 + 8)
    assert "2.0 + 2.1" in str(folded)


def test_the_proof_can_fail():
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    net[0].register_forward_hook(lambda _m, _i, out: out * 2)
    with pytest.raises(BadValueError, match="outputs differ"):
        fold_linear(net)
    with pytest.raises(BadValueError, match="give x"):
        fold_linear(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(4, 4), nn.Linear(4, 2)))
