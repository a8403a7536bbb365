"""Monitors against plain loops over the same activations, and that they leave no trace."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from slalom.core.errors import BadValueError
from slalom.nets import Maxout, Monitor
from slalom.nets.monitors import saturation_limits


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5), nn.Sigmoid(), Maxout(5, 3))


def test_figures_over_a_whole_pass():
    model = net()
    with torch.no_grad():
        model[0].bias[:3] = -100.0  # three dead units
        model[2].weight.mul_(30.0)
    batches = [torch.randn(20, 6, generator=torch.Generator().manual_seed(k)) for k in range(3)]
    with Monitor(model) as monitor:
        for x in batches:
            model(x)
        units = monitor.units()
        monitor.reset()
        assert monitor.units() == {}
    x = torch.cat(batches)
    h = model[:2](x).detach()
    before = model[:3](x).detach()
    slope = torch.sigmoid(before) * (1 - torch.sigmoid(before))
    assert units["1"].dead == float((h == 0).all(0).float().mean()) >= 3 / 8
    assert units["1"].off == pytest.approx(float((h == 0).float().mean()))
    assert units["1"].mean == pytest.approx(float(h.mean()), rel=1e-5)
    assert units["1"].std == pytest.approx(float(h.std(correction=0)), rel=1e-5)
    assert units["3"].saturated == pytest.approx(float((slope < 0.05 * 0.25).float().mean()), abs=0.01)
    assert units["3"].dead == 0
    assert set(units) == {"1", "3", "4"}
    assert units["4"].samples == 60


def test_images_count_channels_as_units():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    with torch.no_grad():
        model[0].bias[1] = -100.0
        model[0].bias[2:] = 100.0
    with Monitor(model) as monitor:
        model(torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(0)))
        assert monitor.units()["1"].dead == 0.25


def test_no_trace_is_left_also_after_an_error():
    model = net()
    x = torch.randn(4, 6)
    plain = model(x)
    state = torch.get_rng_state()
    with Monitor(model):
        torch.testing.assert_close(model(x), plain, rtol=0, atol=0)
    with pytest.raises(RuntimeError, match="cannot be multiplied"), Monitor(model):
        model(x[:, :3])
    assert not any(m._forward_hooks for m in model.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_gradients_and_updates():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    monitor = Monitor(model)
    model(torch.randn(4, 6)).square().sum().backward()
    gradients = monitor.gradients()
    assert gradients["0.weight"] == pytest.approx(float(model[0].weight.grad.norm()))
    weight = float(model[0].weight.detach().norm())
    monitor.before_step()
    optimizer.step()
    assert monitor.updates()["0.weight"].update_ratio == pytest.approx(0.1 * gradients["0.weight"] / weight, rel=1e-4)
    monitor.close()


def test_every_nth_pass_only():
    model = net()
    with Monitor(model, every=3) as monitor:
        for _ in range(7):
            model(torch.randn(2, 6))
        assert monitor.units()["1"].samples == 3 * 2


def test_limits():
    assert saturation_limits(nn.ReLU()) == (pytest.approx(0, abs=0.011), float("inf"))
    low, high = saturation_limits(nn.Tanh())
    assert 1 - torch.tanh(torch.tensor(high)) ** 2 == pytest.approx(0.05, abs=0.002)
    assert low == pytest.approx(-high)
    assert saturation_limits(nn.LeakyReLU(0.2)) == (-float("inf"), float("inf"))
    assert saturation_limits(Maxout(2, 2)) is None


def test_every_is_checked():
    with pytest.raises(BadValueError, match="every must be a whole number >= 1, got 0"):
        Monitor(net(), every=0)
