"""Pruning against torch's own, sorting by hand, and a shrunken network against the one that it came from."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from slalom.core.errors import BadValueError
from slalom.nets.pruning import CubicSparsity, Pruner, finish, prune, shrink, sparsity


def mlp(act=nn.ReLU):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 16), act(), nn.Sequential(nn.Linear(16, 12), act()), nn.Linear(12, 3))


def test_weights_are_torchs_choice():
    ours, theirs = mlp(), mlp()
    prune(ours, 0.6)
    layers = [(m, "weight") for m in theirs.modules() if isinstance(m, nn.Linear)]
    torch_prune.global_unstructured(layers, torch_prune.L1Unstructured, amount=0.6)
    assert all(torch.equal(a, b) for a, b in zip(ours.buffers(), theirs.buffers(), strict=True))
    assert sparsity(ours).share == pytest.approx(0.6, abs=2e-3)


def test_layer_by_layer_and_further():
    net = mlp()
    assert all(s == pytest.approx(0.5, abs=0.01) for s in prune(net, 0.5, scope="layer").layers.values())
    before = [m.clone() for m in net.buffers()]
    prune(net, 0.8, scope="layer")
    assert all(bool((new <= old).all()) for new, old in zip(net.buffers(), before, strict=True))  # never back on
    assert sparsity(net).share == pytest.approx(0.8, abs=0.01)
    with pytest.raises(BadValueError, match="pruning goes one way"):
        prune(net, 0.3, scope="layer")


def test_pruned_weights_stay_so_in_training():
    net = mlp()
    prune(net, 0.7)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        net(torch.randn(8, 10, generator=torch.Generator().manual_seed(1))).square().sum().backward()
        optimizer.step()
    share = sparsity(net).share
    assert share == pytest.approx(0.7, abs=2e-3)
    finish(net)
    assert sparsity(net).share == share
    assert {n for n, _ in net.named_parameters()} == {n for n, _ in mlp().named_parameters()}


def test_units_by_root_mean_square():
    net = mlp()
    scores = {0: net[0].weight.square().mean(1), 2: net[2][0].weight.square().mean(1)}
    order = torch.cat(list(scores.values())).argsort()[:14]
    prune(net, 0.5, "units")
    off = torch.cat([(net[0].weight == 0).all(1), (net[2][0].weight == 0).all(1)])
    assert set(off.nonzero().flatten().tolist()) == set(order.tolist())
    assert not net[0].bias[off[:16]].any()
    assert bool((net[3].weight != 0).all())


@pytest.mark.parametrize("act", [nn.ReLU, nn.Sigmoid, nn.GELU, nn.Softplus, nn.PReLU])
def test_shrunken_mlp_gives_the_same(act):
    net = mlp(act).double()
    prune(net, 0.6, "units")
    small = shrink(net)
    x = torch.randn(9, 10, dtype=torch.float64)
    torch.testing.assert_close(small(x), net(x), rtol=1e-12, atol=1e-12)
    count = sum(p.numel() for p in small.parameters())
    assert count < 0.5 * sum(p.numel() for p in mlp(act).parameters())
    assert isinstance(net[0].weight_mask, torch.Tensor)  # the given one is as it was


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("act", [nn.ReLU, nn.Sigmoid])
def test_shrunken_cnn_gives_the_same(act, padding):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), act(), nn.MaxPool2d(2), nn.Conv2d(8, 6, 3, padding=padding), act(),
        nn.Flatten(), nn.Linear(6 * (4 - 2 + 2 * padding) ** 2, 5), nn.PReLU(5), nn.Linear(5, 2),
    ).double()  # fmt: skip
    x = torch.randn(7, 1, 8, 8, dtype=torch.float64)
    net(x)  # statistics
    with torch.no_grad():
        net[1].bias.normal_()
    prune(net, 0.5, "units", "layer")
    net.eval()
    small = shrink(net)
    torch.testing.assert_close(small(x), net(x), rtol=1e-12, atol=1e-12)
    shrunk = act is nn.ReLU or padding == 0
    assert small[4].out_channels == 3
    assert (small[0].out_channels == 4) == (padding == 0), shrunk


def test_cubic_schedule_and_pruner():
    schedule = CubicSparsity(0.9, start=10, end=110)
    for step, share in ((0, 0.0), (10, 0.0), (60, 0.9 * (1 - 0.5**3)), (110, 0.9), (500, 0.9)):
        assert schedule(step) == pytest.approx(share)
    net = mlp()
    pruner = Pruner(net, CubicSparsity(0.75, start=2, end=12), every=4)
    seen = []
    for _ in range(16):
        pruner.step()
        seen.append(sparsity(net).share)
    assert seen[0] == seen[2] == 0
    assert seen[4] == pytest.approx(0.75 * (1 - 0.8**3), abs=3e-3)
    assert seen[-1] == pytest.approx(0.75, abs=3e-3)


def test_errors():
    with pytest.raises(BadValueError, match=r"share must be a number in \[0, 1\), got 1"):
        prune(mlp(), 1)
    with pytest.raises(BadValueError, match="what must be weights or units"):
        prune(mlp(), 0.5, "neurons")
    with pytest.raises(BadValueError, match="no linear or convolution layer"):
        prune(nn.ReLU(), 0.5)
    with pytest.raises(BadValueError, match=r"must be an nn\.Sequential"):
        shrink(nn.Linear(2, 2))
    with pytest.raises(BadValueError, match="start < end"):
        CubicSparsity(0.5, start=3, end=3)


def test_one_unit_always_stays():
    net = mlp()
    prune(net, 0.99, "units", "layer")
    small = shrink(copy.deepcopy(net))
    assert small[0].out_features >= 1
    assert small[2][0].out_features >= 1
