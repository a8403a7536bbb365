"""Gradients of single rows against a loop of backward passes; noise against its closed form."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from slalom.doctor.probes.gradient_noise import GradientNoise, gradient_noise, row_gradients

G = torch.Generator().manual_seed(0)
X, Y = torch.randn(12, 4, generator=G), torch.arange(12) % 3


class Branching(nn.Module):
    """Control flow on a value, which vmap refuses."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 3)

    def forward(self, x):
        return self.a(x) if float(x.detach().sum()) > 0 else 2 * self.a(x)


def nets():
    torch.manual_seed(0)
    yield nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Dropout(0.5), nn.Linear(5, 3))
    yield Branching()
    frozen = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    frozen[0].weight.requires_grad_(False)
    yield frozen


@pytest.mark.parametrize("model", list(nets()), ids=["sequential", "branching", "frozen"])
def test_rows_against_a_loop(model):
    found = row_gradients(model, F.cross_entropy, X, Y)
    assert model.training
    model.eval()
    for k in range(len(X)):
        model.zero_grad()
        F.cross_entropy(model(X[k : k + 1]), Y[k : k + 1]).backward()
        plain = torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])
        torch.testing.assert_close(found[k], plain, rtol=1e-4, atol=1e-6)


def test_the_mean_of_rows_is_the_batch_s_gradient():
    model = nn.Linear(4, 3)
    F.cross_entropy(model(X), Y).backward()
    batch = torch.cat([p.grad.flatten() for p in model.parameters()])
    torch.testing.assert_close(row_gradients(model, F.cross_entropy, X, Y).mean(0), batch)


def test_signal_and_variance_are_unbiased():
    """One weight w on targets m + noise: a row's gradient is 2 (w - y), so signal is 4 (w - m)^2 and variance 4 s^2."""
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(2.0)
    found = []
    for seed in range(300):
        y = 1.0 + 3.0 * torch.randn(8, 1, generator=torch.Generator().manual_seed(seed))
        found.append(gradient_noise(model, F.mse_loss, torch.ones(8, 1), y))
    assert sum(f.variance for f in found) / 300 == pytest.approx(36, rel=0.1)
    assert sum(f.signal for f in found) / 300 == pytest.approx(4, abs=1.5)


def test_scale_without_signal_or_with_nan():
    assert GradientNoise(2.0, 8.0, 4).scale == 4
    assert GradientNoise(-0.1, 8.0, 4).scale == math.inf
    assert math.isnan(GradientNoise(math.nan, 8.0, 4).scale)
    assert math.isnan(gradient_noise(nn.Linear(4, 3), F.cross_entropy, X * math.inf, Y).scale)
