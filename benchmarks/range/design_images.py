"""Design problems of the kinds that an earlier method missed: convolutions, small batches, deep tanh, tables, and warm starts.

Their data are drawn here, from generators that no judging problem uses.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.range.problem import Problem, mlp, standard, warm

ROWS = 1200


def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side), indexing="ij")
    return a[None], b[None]


def _images(pictures: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
    return torch.tensor(pictures.reshape(len(pictures), -1), dtype=torch.float32), torch.tensor(labels)


def stripes(side: int, seed: int) -> tuple[Tensor, Tensor]:
    """Gratings of four directions, any phase and width, with noise; mean 0."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, ROWS)
    a, b = _grid(side)
    angle, phase = (np.pi / 4 * y + rng.normal(0, 0.15, ROWS))[:, None, None], rng.uniform(0, 6.3, (ROWS, 1, 1))
    wave = np.sin(rng.uniform(4, 9, (ROWS, 1, 1)) * (a * np.cos(angle) + b * np.sin(angle)) + phase)
    return _images(wave + 0.6 * rng.normal(0, 1, wave.shape), y)


def spots(side: int, seed: int) -> tuple[Tensor, Tensor]:
    """One to five bright spots on black, in [0, 1]; the class is their number."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 5, ROWS)
    a, b = _grid(side)
    seen = np.zeros((ROWS, side, side))
    for k in range(5):
        at = rng.uniform(-0.9, 0.9, (2, ROWS, 1, 1))
        seen = np.maximum(seen, (y >= k)[:, None, None] * np.exp(-((a - at[0]) ** 2 + (b - at[1]) ** 2) / 0.05))
    return _images(np.clip(seen + 0.05 * rng.normal(0, 1, seen.shape), 0, 1), y)


def outlines(side: int, seed: int) -> tuple[Tensor, Tensor]:
    """Discs, rings, bars, crosses, squares and frames at any place, grey on dark, in [0, 1]."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 6, ROWS)
    a, b = _grid(side)
    at, size = rng.uniform(-0.35, 0.35, (2, ROWS, 1, 1)), rng.uniform(0.45, 0.7, (ROWS, 1, 1))
    u, v = np.abs(a - at[0]) / size, np.abs(b - at[1]) / size
    r, m = np.hypot(u, v), np.maximum(u, v)
    bar = (v < 0.35) & (u < 1)
    kinds = [r < 1, (r < 1) & (r > 0.55), bar, bar | ((u < 0.35) & (v < 1)), m < 0.9, (m < 0.9) & (m > 0.5)]
    seen = np.choose(y[:, None, None], [k.astype(float) for k in kinds]) * rng.uniform(0.5, 1.0, (ROWS, 1, 1))
    return _images(np.clip(seen + 0.15 * np.abs(rng.normal(0, 1, seen.shape)), 0, 1), y)


def textures(side: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noise smoothed along one of the two directions, or not, or both: classes that a mean over the picture cannot tell."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, ROWS)
    seen = rng.normal(0, 1, (ROWS, side, side))
    along, across = (seen + np.roll(seen, 1, 1)) / 2**0.5, (seen + np.roll(seen, 1, 2)) / 2**0.5
    both = (along + np.roll(along, 1, 2)) / 2**0.5
    return _images(np.choose(y[:, None, None], [seen, along, across, both]), y)


def net(
    side: int, *channels: int, classes: int, hidden: int = 0, norm: bool = False, act: type[nn.Module] = nn.ReLU
) -> nn.Module:
    """Convolutions of 3 by 3 with means of 2 by 2 after the first two, then one or two linear layers."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, side, side))]
    before = 1
    for k, width in enumerate(channels):
        layers += [nn.Conv2d(before, width, 3, padding=1), *([nn.BatchNorm2d(width)] if norm else []), act()]
        if k < 2:
            layers.append(nn.AvgPool2d(2))
            side //= 2
        before = width
    flat = before * side * side
    head = [nn.Linear(flat, hidden), act(), nn.Linear(hidden, classes)] if hidden else [nn.Linear(flat, classes)]
    return nn.Sequential(*layers, nn.Flatten(), *head)


def _labels(d: int, classes: int, wrong: float, seed: int) -> tuple[Tensor, Tensor]:
    """Classes by a random network's largest output, some of them wrong."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (ROWS, d))
    y = (np.tanh(x @ rng.normal(0, 1.5 / d**0.5, (d, 20))) @ rng.normal(0, 1, (20, classes))).argmax(1)
    drawn = rng.random(ROWS) < wrong
    return torch.tensor(x, dtype=torch.float32), torch.tensor(np.where(drawn, rng.integers(0, classes, ROWS), y))


def _bumps(seed: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (ROWS, 3))
    y = np.exp(-((x - 0.3) ** 2).sum(1) * 4) - np.exp(-((x + 0.4) ** 2).sum(1) * 6) + 0.1 * rng.normal(0, 1, ROWS)
    return torch.tensor(x, dtype=torch.float32), standard(y[:, None])


def _table(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Skewed and correlated columns and two that are categories; a class that follows from a few of them."""
    rng = np.random.default_rng(seed)
    own = rng.normal(0, 1, (n, 12)) @ rng.normal(0, 0.5, (12, 12))
    kinds = np.eye(4)[rng.integers(0, 4, n)]
    y = own[:, 0] + own[:, 1] * kinds[:, 0] + np.abs(own[:, 2]) - 0.5 + 0.3 * rng.normal(0, 1, n) > 0
    return standard(np.c_[np.exp(own[:, :6] / 2), own[:, 6:], own[:, :3], kinds]), torch.tensor(y.astype(int))


def _head(module: nn.Module) -> None:
    module[-1].reset_parameters()  # type: ignore[index, operator]


def problems() -> list[Problem]:
    sx, sy = stripes(10, 11)
    px, py = spots(12, 12)
    nx, ny = spots(8, 20)
    ox, oy = outlines(12, 13)
    tx, ty = textures(8, 14)
    lx, ly = _labels(16, 5, 0.15, 15)
    mx, my = _labels(24, 3, 0.0, 16)
    bx, by = _bumps(17)
    ax, ay = _table(900, 18)
    cx, cy = _table(500, 19)
    wave = Problem("stripes conv", lambda: net(10, 6, 8, classes=4), sx, sy, batch=32)
    shape = Problem("outlines conv", lambda: net(12, 6, 8, classes=6, hidden=24), ox, oy, batch=32)
    small = Problem("noisy labels, batch 4", mlp(16, 24, 5), lx, ly, batch=4)
    table = Problem("table", mlp(19, 24, 24, 2), ax, ay, batch=16)
    tanh = Problem("tanh-6", mlp(24, 20, 20, 20, 20, 20, 20, 3, act=nn.Tanh), mx, my, batch=32)
    return [
        wave,
        small,
        shape,
        tanh,
        Problem("spots conv", lambda: net(12, 5, 8, 8, classes=5), px, py, batch=32),
        Problem("noisy bumps, batch 8", mlp(3, 32, 32, 1), bx, by, "mse", batch=8),
        table,
        Problem("textures conv, batch 16", lambda: net(8, 8, 8, classes=4, hidden=16), tx, ty, batch=16),
        Problem("normed conv", lambda: net(8, 5, 8, classes=5, norm=True), nx, ny, batch=32),
        Problem("small table", mlp(19, 16, 2), cx, cy, batch=8),
        Problem("tanh-4", mlp(3, 24, 24, 24, 24, 1, act=nn.Tanh), bx, by, "mse", batch=32),
        Problem("tanh conv", lambda: net(10, 6, 6, classes=4, act=nn.Tanh), sx, sy, batch=16),
        warm(wave, "warm stripes", "momentum", 1e-2, 250),
        warm(small, "warm batch 4", "sgd", 3e-2, 400),
        warm(table, "warm table", "rmsprop", 1e-3, 200),
        warm(tanh, "warm tanh-6", "adam", 3e-3, 200),
        warm(shape, "new head on conv", "adam", 3e-3, 300, _head),
    ]
