"""Initialisation: variances measured in deep networks, torch's own draws, and what feeds a layer."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from slalom.core.errors import BadValueError, UnknownNameError
from slalom.nets import ACTIVATIONS, Maxout, initialise

WIDTH, DEPTH = 128, 30


def deep(name):
    pair = [lambda: Maxout(WIDTH, WIDTH)] if name == "maxout" else [lambda: nn.Linear(WIDTH, WIDTH), ACTIVATIONS[name].make]
    return nn.Sequential(*(make() for _ in range(DEPTH) for make in pair))


def variances(net, x):
    seen = []
    inner = [m for m in net.modules() if isinstance(m, nn.Linear)]
    handles = [m.register_forward_hook(lambda _m, _i, out: seen.append(float(out.var(0).mean()))) for m in inner]
    with torch.no_grad():
        net(x)
    for h in handles:
        h.remove()
    return seen


EVERY = [(name, "fan_in") for name in (*ACTIVATIONS, "maxout")]
SOME = [(name, method) for name in ("relu", "silu", "maxout") for method in ("orthogonal", "lsuv")]


@pytest.mark.parametrize(("name", "method"), EVERY + SOME)
def test_thirty_layers_keep_the_variance(name, method):
    net = deep(name)
    initialise(net, method, seed=1)
    fresh = torch.randn(512, WIDTH, generator=torch.Generator().manual_seed(7))  # not what lsuv was scaled on
    found = variances(net, fresh)
    assert len(found) == DEPTH
    assert (min(found) > 0.5, max(found) < 2) == (True, True), found


def test_torchs_default_does_not():
    torch.manual_seed(0)
    assert min(variances(deep("gelu"), torch.randn(64, WIDTH))) < 1e-6


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "leaky_relu"])
def test_fan_out_keeps_the_gradient(name):
    net = nn.Sequential(*(m for _ in range(6) for m in (nn.Linear(512, 512), ACTIVATIONS[name].make())), nn.Linear(512, 512))
    initialise(net, "fan_out", seed=0)
    # Each layer's share measured alone, on standard normal pre-activations, as the gain supposes.
    gen = torch.Generator().manual_seed(3)
    for k in (2, 4, 6):
        z = torch.randn(64, 512, generator=gen).requires_grad_()
        up = torch.randn(64, 512, generator=gen)
        out = net[k](net[k - 1](z))
        grad = torch.autograd.grad(out, z, up)[0]
        assert float(grad.square().mean()) == pytest.approx(1, abs=0.1)


def test_he_draw_without_centring():
    net = nn.Sequential(nn.Linear(400, 300), nn.ReLU(), nn.Linear(300, 500))
    report = initialise(net, "fan_in", centre=False, calibrated=False, seed=0)
    assert [r.gain for r in report] == [pytest.approx(1), pytest.approx(math.sqrt(2))]
    for layer, gain in ((net[0], 1.0), (net[2], nn.init.calculate_gain("relu"))):
        assert float(layer.weight.detach().std()) == pytest.approx(gain / math.sqrt(layer.in_features), rel=0.01)
        assert not layer.bias.any()


def test_convolutions_count_their_kernel_and_groups():
    net = nn.Sequential(nn.Conv2d(4, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3, groups=4), nn.BatchNorm2d(64), nn.Conv2d(64, 64, 1))
    report = initialise(net, calibrated=False, seed=0)
    assert [r.fed_by for r in report] == ["input", "ReLU", "normalised"]
    centred = 1 / math.sqrt(0.5 - 1 / (2 * math.pi))
    assert [r.std for r in report] == [
        pytest.approx(1 / 6), pytest.approx(centred / math.sqrt(8 * 9)), pytest.approx(1 / 8),
    ]  # fmt: skip
    torch.testing.assert_close(net[2].weight.sum((1, 2, 3)), torch.zeros(64), atol=1e-5, rtol=0)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.late, self.early = nn.Linear(64, 4), nn.Linear(64, 64)  # registered in the other order
        self.embed = nn.Embedding(5, 64)

    def forward(self, x):
        return self.late(F.gelu(self.early(x), approximate="tanh").flatten(1))


def test_functions_in_a_forward_are_found():
    net = Functional()
    kept = net.embed.weight.clone()
    report = {r.name: r for r in initialise(net, calibrated=False)}
    assert {n: r.fed_by for n, r in report.items()} == {"early": "input", "late": "gelu"}
    assert report["late"].gain == pytest.approx(1.7009, abs=1e-4)
    torch.testing.assert_close(net.embed.weight, kept)
    assert "embed" in str(initialise(net, calibrated=False))


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x):
        return self.b(torch.relu(self.a(x)) if x.sum() > 0 else x)


def test_what_cannot_be_traced_wants_to_be_told():
    with pytest.raises(BadValueError, match=r"cannot be traced.*activation='relu'"):
        initialise(Branching())
    assert [r.fed_by for r in initialise(Branching(), activation="relu")] == ["input", "relu"]


def test_lsuv_on_own_data_leaves_buffers_and_modes():
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.Flatten(), nn.Linear(8 * 36, 16), nn.SiLU(), nn.Linear(16, 3)
    )
    x = 5 + 3 * torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    before = {k: v.clone() for k, v in net.named_buffers()}
    initialise(net, "lsuv", x=x, seed=0)
    assert net.training
    assert all(torch.equal(v, before[k]) for k, v in net.named_buffers())
    out = net[:5](x).detach()
    assert float(out.var(0).mean()) == pytest.approx(1, abs=5e-3)
    with pytest.raises(BadValueError, match="give x"):
        initialise(net, "lsuv")


def test_seeds_and_errors():
    nets = [nn.Sequential(nn.Linear(20, 20), nn.ELU(), nn.Linear(20, 2)) for _ in range(2)]
    for net in nets:
        initialise(net, seed=5)
    torch.testing.assert_close(nets[0][2].weight, nets[1][2].weight, rtol=0, atol=0)
    with pytest.raises(UnknownNameError, match="method of initialise"):
        initialise(nets[0], "fan_inn")
    with pytest.raises(BadValueError, match="no linear, convolution or Maxout layer"):
        initialise(nn.Sequential(nn.ReLU()))
