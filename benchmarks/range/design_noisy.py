"""Design problems of the kinds that were missed last: noise that dwarfs the fall, least losses at useless rates, warm starts.

Bowls under noise differ from the judged one in shape, size, noise and batch; warm starts continue on these and on other new data.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.range.design_images import outlines
from benchmarks.range.problem import Problem, mlp, standard, warm


class NoisyBowl(nn.Module):
    """As mse against 0: mean_i h_i (w_i - x_i)^2, turned by a random rotation or not, curvatures `h` log-spaced."""

    def __init__(self, n: int, condition: float, far: float, turned: bool = True) -> None:
        super().__init__()
        self.w = nn.Parameter(far * torch.randn(n))
        turn = torch.linalg.qr(torch.randn(n, n, generator=torch.Generator().manual_seed(1)))[0] if turned else torch.eye(n)
        self.register_buffer("root", torch.logspace(0, -float(np.log10(condition)), n).sqrt()[:, None] * turn)

    def forward(self, x: Tensor) -> Tensor:
        return (self.w - x) @ self.root.T


class Scales(nn.Module):
    """Outputs are products of two weights and an input: a saddle at the start, sharp far out."""

    def __init__(self, d: int = 12) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(0.2 * torch.randn(d)), nn.Parameter(0.2 * torch.randn(d))

    def forward(self, x: Tensor) -> Tensor:
        return (x * (self.a * self.b)).sum(-1, keepdim=True)


def _noise(n: int, d: int, seed: int, heavy: bool = False) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.standard_t(3, (n, d)) if heavy else rng.normal(0, 1, (n, d)), dtype=torch.float32)


def _arms(arms: int, turns: float, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """A pinwheel: blobs drawn out and turned by their distance."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, arms, 1000)
    r = 0.2 + np.abs(rng.normal(1, 0.4, 1000))
    angle = 2 * np.pi * y / arms + turns * r + noise * rng.normal(0, 1, 1000)
    return standard(np.c_[r * np.cos(angle), r * np.sin(angle)]), torch.tensor(y)


def _crescents(seed: int) -> tuple[Tensor, Tensor]:
    """Three curved arms from the middle outwards."""
    rng = np.random.default_rng(seed)
    t, y = rng.uniform(0, 1, 900), rng.integers(0, 3, 900)
    angle = 2 * np.pi * y / 3 + 4 * t
    return standard(np.c_[t * np.cos(angle), t * np.sin(angle)] + 0.04 * rng.normal(0, 1, (900, 2))), torch.tensor(y)


def _board(fields: int, seed: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, fields, (1200, 2))
    return standard(x), torch.tensor(np.floor(x).sum(1).astype(int) % 2)


def _outliers(seed: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (1000, 8))
    y = np.sin(x[:, :1]) + x[:, 1:2] * x[:, 2:3] + 0.3 * rng.standard_t(2.5, (1000, 1))
    return torch.tensor(x, dtype=torch.float32), standard(y)


def _waves(seed: int) -> tuple[Tensor, Tensor]:
    x = np.random.default_rng(seed).uniform(-1, 1, (900, 2))
    y = np.sin(4 * x[:, :1]) * np.cos(3 * x[:, 1:]) + x[:, :1]
    return standard(x), standard(y)


def problems() -> list[Problem]:
    zeros = torch.zeros
    flat = Problem("noisy bowl", lambda: NoisyBowl(20, 10, 1.0), _noise(1000, 20, 30), zeros(1000, 20), "mse", batch=4)
    far = Problem("far noisy bowl", lambda: NoisyBowl(40, 300, 8.0), _noise(1500, 40, 31), zeros(1500, 40), "mse", batch=16)
    px, py = _arms(5, 2.5, 0.15, 32)
    bx, by = _board(4, 33)
    ox, oy = _outliers(34)
    cx, cy = _crescents(42)
    wx, wy = _waves(35)
    ix, iy = outlines(8, 36)
    sx = _noise(800, 12, 37)
    sy = (sx * torch.linspace(-1, 1, 12)).sum(-1, keepdim=True) + 0.2 * _noise(800, 1, 38)
    pin = Problem("pinwheel", mlp(2, 40, 40, 5), px, py)
    board = Problem("board", mlp(2, 48, 24, 2, act=nn.Tanh), bx, by)
    outliers = Problem("outliers", mlp(8, 32, 1), ox, oy, "mse", batch=16)
    waves = Problem("waves", mlp(2, 32, 32, 1, act=nn.SiLU), wx, wy, "mse", batch=32)
    pictures = Problem("flat pictures", mlp(64, 40, 40, 6), ix, iy)
    normed = Problem("normed pictures", mlp(64, 40, 40, 6, norm=nn.LayerNorm), ix, iy, batch=32)
    return [
        flat,
        far,
        Problem("heavy noisy bowl", lambda: NoisyBowl(30, 100, 3.0), _noise(1200, 30, 39, True), zeros(1200, 30), "mse", batch=8),
        Problem("plain noisy bowl", lambda: NoisyBowl(24, 30, 2.0, False), _noise(900, 24, 40), zeros(900, 24), "mse", batch=16),
        Problem("steep noisy bowl", lambda: NoisyBowl(16, 1000, 5.0, False), _noise(900, 16, 41), zeros(900, 16), "mse", batch=4),
        pin,
        board,
        Problem("crescents", mlp(2, 40, 24, 3), cx, cy, batch=32),
        warm(Problem("", mlp(2, 40, 24, 3), cx, cy), "warm crescents", "adam", 3e-3, 250),
        outliers,
        waves,
        pictures,
        normed,
        Problem("scales", Scales, sx, sy, "mse", batch=16),
        warm(pin, "warm pinwheel", "adam", 1e-2, 150),
        warm(board, "warm board", "momentum", 1e-1, 300),
        warm(waves, "warm waves", "adam", 3e-3, 300),
        warm(pictures, "warm pictures", "adam", 1e-3, 250),
        warm(pictures, "warm pictures by sgd", "sgd", 1e-1, 150),
        warm(normed, "warm normed pictures", "rmsprop", 1e-3, 200),
        warm(outliers, "warm outliers", "adam", 1e-3, 200),
        warm(far, "warm noisy bowl", "sgd", 1e-1, 100),
    ]
