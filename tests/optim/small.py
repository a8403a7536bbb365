"""A small model with data, for the tests of what steps an optimizer."""

import torch
from torch import nn

import slalom.optim

OURS = [getattr(slalom.optim, n) for n in slalom.optim.__all__ if hasattr(getattr(slalom.optim, n), "rule")]
TORCHS = [torch.optim.SGD, torch.optim.Adam, torch.optim.Rprop]
LR = {"Adadelta": 1.0, "Lion": 1e-3}


def net(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2)).to(dtype)


def data(n, seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 5, generator=generator, dtype=dtype), torch.randn(n, 2, generator=generator, dtype=dtype)


def build(cls, model, **given):
    return cls(model.named_parameters(), lr=LR.get(cls.__name__, 0.01), **given)


def loss(model, x, y):
    return nn.functional.mse_loss(model(x), y)


def train(model, optimizer, batches):
    for x, y in batches:
        optimizer.zero_grad()
        loss(model, x, y).backward()
        optimizer.step()


def weights(model):
    return torch.cat([p.detach().flatten().clone() for p in model.parameters()])


def away(a, b):
    """The largest difference, relative to the largest weight."""
    return ((a - b).abs().max() / b.abs().max()).item()


def put(values, model):
    """Copies a vector of weights into the model."""
    with torch.no_grad():
        for p, part in zip(model.parameters(), values.split([p.numel() for p in model.parameters()]), strict=True):
            p.copy_(part.view_as(p))
