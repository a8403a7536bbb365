"""The problems on which `slalom.range_test` was designed; none of them judges it."""

from __future__ import annotations

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn

from benchmarks.range.problem import Problem, mlp, standard, warm


def _mixture(classes: int, d: int, n: int, spread: float, seed: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 1, (classes * 2, d))
    y = rng.integers(0, classes * 2, n)
    return standard(centres[y] + spread * rng.normal(0, 1, (n, d))), torch.tensor(y % classes)


def _teacher(d: int, n: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=g)
    a, b = torch.randn(d, 16, generator=g) / d**0.5, torch.randn(16, 2, generator=g) / 4
    y = torch.tanh(2 * x @ a) @ b
    return x, y / y.std() + noise * torch.randn(n, 2, generator=g)


class Residual(nn.Module):
    def __init__(self, d: int = 24, width: int = 32, out: int = 6, depth: int = 3) -> None:
        super().__init__()
        self.into = nn.Linear(d, width)
        self.blocks = nn.ModuleList(
            [nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)) for _ in range(depth)]
        )
        self.out = nn.Linear(width, out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x)
        for block in self.blocks:
            x = x + block(x)
        return self.out(x)


def signal_net() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 32)), nn.Conv1d(1, 8, 5, padding=2), nn.ReLU(), nn.AvgPool1d(4), nn.Flatten(), nn.Linear(64, 3)
    )


def _signals() -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 1200)
    t, phase = np.linspace(0, 1, 32), rng.uniform(0, 6.3, (1200, 1))
    x = np.sin(2 * np.pi * (2 + 2 * y[:, None]) * t + phase) + 0.5 * rng.normal(0, 1, (1200, 32))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


class Bowl(nn.Module):
    """A quadratic without noise, condition 1000."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(30))
        self.register_buffer("root", torch.logspace(-3, 0, 30).sqrt() * 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.root * self.w + 0 * x


def problems() -> list[Problem]:
    mx, my = _mixture(6, 24, 1500, 1.2, 0)
    hx, hy = _mixture(10, 64, 1800, 2.5, 1)
    ex, ey = _mixture(4, 10, 1200, 0.3, 2)
    tx, ty = _teacher(12, 1500, 0.1, 3)
    nx, ny = _teacher(8, 1000, 1.0, 4)
    diabetes = datasets.load_diabetes()
    linnerud = standard(diabetes.target[:, None])
    iris = datasets.load_iris()
    sx, sy = _signals()
    bits = torch.randint(0, 2, (1500, 10), generator=torch.Generator().manual_seed(6)).float() * 2 - 1
    parity = (bits[:, :3].prod(1) > 0).long()
    zeros = torch.zeros(512, 30)
    plain = Problem("mixture MLP", mlp(24, 48, 48, 6), mx, my)
    easy = Problem("easy mixture", mlp(10, 32, 4), ex, ey, batch=32)
    teacher = Problem("teacher", mlp(12, 40, 2, act=nn.Tanh), tx, ty, "mse")
    residual = Problem("residual", Residual, mx, my, batch=32)

    def new_head(module: nn.Module) -> None:
        nn.init.normal_(module[-1].weight, std=0.1)  # type: ignore[index, arg-type]

    return [
        plain,
        easy,
        teacher,
        residual,
        Problem("hard mixture", mlp(64, 64, 10), hx, hy),
        Problem("softmax", mlp(64, 10), hx, hy, batch=16),
        Problem("noisy teacher", mlp(8, 64, 2), nx, ny, "mse", batch=16),
        Problem("ridge", mlp(10, 1), standard(diabetes.data), linnerud, "mse", batch=32),
        Problem("diabetes MLP", mlp(10, 32, 32, 1), standard(diabetes.data), linnerud, "mse", batch=32),
        Problem("iris", mlp(4, 16, 3, act=nn.Sigmoid), standard(iris.data), torch.tensor(iris.target), batch=16),
        Problem("signals", signal_net, sx, sy),
        Problem("parity", mlp(10, 32, 32, 2), bits, parity, batch=32),
        Problem("deep linear", mlp(24, 24, 24, 24, 6, act=nn.Identity), mx, my),
        Problem("bowl", Bowl, zeros, zeros, "mse"),
        Problem("normed", mlp(24, 48, 48, 6, norm=nn.BatchNorm1d), mx, my, batch=32),
        warm(plain, "warm mixture", "adam", 3e-3, 150),
        warm(teacher, "warm teacher", "momentum", 3e-2, 300),
        warm(residual, "warm residual", "sgd", 1e-1, 100),
        warm(easy, "new head", "adam", 1e-2, 200, new_head),
        warm(Problem("", mlp(64, 64, 10), hx, hy), "warm hard", "adam", 1e-3, 400),
    ]
