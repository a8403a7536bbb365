"""What penalties are for, on problems where that can be seen: twin features (claim R3), offsets and biases (R4)."""

import numpy as np
import torch
from sklearn.linear_model import ElasticNet as SkElasticNet
from sklearn.linear_model import Lasso
from torch import nn

import slalom.optim as so
from slalom.optim import L1, L2, ElasticNet, decay_groups

ALPHA, SHARE = 0.5, 0.5


def twins():
    """The first two of eight features are nearly the same; the target is made of the first, with noise."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, 8))
    x[:, 1] = 0.9 * x[:, 0] + 0.2 * rng.normal(size=200)
    return x, 3 * x[:, 0] + 0.3 * rng.normal(size=200)


def fit(penalty, steps=400):
    x, y = (torch.from_numpy(a) for a in twins())
    net = nn.Linear(8, 1, dtype=torch.float64)
    nn.init.zeros_(net.weight), nn.init.zeros_(net.bias)
    optimizer = so.SGD(net.parameters(), lr=0.15, momentum=0.9)
    penalty.attach(optimizer, net)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x)[:, 0], y).backward()
        optimizer.step()
    return net.weight.detach()[0].numpy()


def test_lasso_drops_a_twin_and_elastic_net_keeps_both():
    x, y = twins()
    lasso, both = fit(L1(2 * ALPHA)), fit(ElasticNet(2 * ALPHA * SHARE, 2 * ALPHA * (1 - SHARE)))
    np.testing.assert_allclose(lasso, Lasso(alpha=ALPHA, tol=1e-12, max_iter=100_000).fit(x, y).coef_, atol=1e-5)
    elastic = SkElasticNet(alpha=ALPHA, l1_ratio=SHARE, tol=1e-12, max_iter=100_000).fit(x, y).coef_
    np.testing.assert_allclose(both, elastic, atol=1e-5)
    assert lasso[0] > 1
    assert (lasso[1:] == 0).all()
    assert min(both[:2]) > 0.5
    assert (both[2:] == 0).all()


def test_a_bias_that_decays_cannot_follow_an_offset_and_one_that_is_spared_can():
    """Ridge in closed form: centred data give the weights, and the bias is the offset, or what decay leaves of it."""
    x, y = (torch.from_numpy(a) for a in twins())
    x, y, decay = x - x.mean(0), y - y.mean() + 5, 1.0
    biases = {}
    for name, spare in (("torch, all", False), ("decay_groups", True), ("L2", True)):
        net = nn.Linear(8, 1, dtype=torch.float64)
        nn.init.zeros_(net.weight), nn.init.zeros_(net.bias)
        groups = decay_groups(net, decay) if name == "decay_groups" else net.parameters()
        own = {"weight_decay": decay} if name == "torch, all" else {}
        optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.5, **own)
        if name == "L2":
            L2(decay).attach(optimizer, net)
        for _ in range(200):
            optimizer.zero_grad()
            nn.functional.mse_loss(net(x)[:, 0], y).backward()
            optimizer.step()
        biases[name] = net.bias.item()
        expected = 5.0 if spare else 5 * 2 / (2 + decay)  # d/db: 2 (b - 5) + decay b = 0
        assert abs(net.bias.item() - expected) < 1e-6, name
        gram = 2 * x.T @ x / len(x) + decay * torch.eye(8, dtype=torch.float64)
        weights = torch.linalg.solve(gram, 2 * x.T @ (y - 5) / len(x))
        torch.testing.assert_close(net.weight.detach()[0], weights, atol=1e-6, rtol=0)
