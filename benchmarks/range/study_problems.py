"""The fourteen problems that judge: those that `lr_and_pictures.md` A3 names, and two of our choice where it names twelve.

Not stated there and chosen here, before any method was run on them: sizes, batch sizes, how long the warm start was trained,
batch normalisation and the small batch as the two others.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn

from benchmarks.range.problem import Problem, digits, mlp, standard, warm


class Quadratic(nn.Module):
    """Loss (as mse against 0) mean_i h_i (w_i - x_i)^2: a quadratic bowl whose minimum each batch shifts by noise."""

    def __init__(self, n: int = 50, condition: float = 100.0) -> None:
        super().__init__()
        self.w = nn.Parameter(3 * torch.randn(n))
        self.register_buffer("root", torch.logspace(0, float(np.log10(condition)), n).sqrt() / 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.root * (self.w - x)


def conv() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


def _spirals() -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(1)
    t = np.linspace(0.3, 1.0, 500)
    arms = [np.c_[t * np.cos(7 * t + a), t * np.sin(7 * t + a)] + rng.normal(0, 0.03, (500, 2)) for a in (0, np.pi)]
    return standard(np.concatenate(arms)), torch.tensor([0] * 500 + [1] * 500)


def problems() -> list[Problem]:
    x, y = digits()
    moons = datasets.make_moons(1000, noise=0.25, random_state=0)
    t = np.random.default_rng(2).uniform(-np.pi, np.pi, (1000, 1))
    sine = torch.tensor(np.sin(2 * t), dtype=torch.float32)
    sx, sy = _spirals()
    table = datasets.load_breast_cancer()
    noise = torch.randn(2000, 50, generator=torch.Generator().manual_seed(3))
    deep = mlp(64, 32, 32, 32, 32, 32, 10, act=nn.Tanh)
    plain = Problem("MLP", mlp(64, 64, 64, 10), x, y)
    return [
        Problem("logistic", mlp(64, 10), x, y),
        plain,
        Problem("tanh-5", deep, x, y),
        Problem("LayerNorm", mlp(64, 64, 64, 10, norm=nn.LayerNorm), x, y),
        Problem("conv", conv, x, y, batch=32),
        Problem("autoencoder", mlp(64, 32, 8, 32, 64), x, x, "mse"),
        Problem("moons", mlp(2, 16, 2), standard(moons[0]), torch.tensor(moons[1])),
        Problem("spirals", mlp(2, 32, 32, 2), sx, sy),
        Problem("sine", mlp(1, 32, 32, 1, act=nn.Tanh), standard(t), sine, "mse"),
        Problem("tabular", mlp(30, 32, 2), standard(table.data), torch.tensor(table.target), batch=32),
        Problem("noisy quadratic", Quadratic, noise, torch.zeros(2000, 50), "mse", batch=8),
        warm(plain, "warm start", "adam", 1e-3, 200),
        Problem("BatchNorm", mlp(64, 64, 64, 10, norm=nn.BatchNorm1d), x, y),
        Problem("small batch", mlp(64, 32, 10), x, y, batch=8),
    ]
