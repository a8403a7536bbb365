"""Six more problems, unused while `slalom.range_test` was designed, and reported apart."""

from __future__ import annotations

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn

from benchmarks.range.problem import Problem, digits, mlp, standard, warm


class Attention(nn.Module):
    """One head over a sequence of 8 tokens, then a linear layer."""

    def __init__(self, words: int = 12, width: int = 16) -> None:
        super().__init__()
        self.words = words
        self.into = nn.Linear(words, width)
        self.place = nn.Parameter(0.1 * torch.randn(8, width))
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.into(nn.functional.one_hot(x.long(), self.words).to(self.place.dtype)) + self.place
        q, k, v = self.qkv(h).chunk(3, -1)
        h = h + torch.softmax(q @ k.transpose(-1, -2) / 4, -1) @ v
        return self.out(h.mean(-2))


class Factors(nn.Module):
    """A matrix of rank 4 recovered from some of its entries: a bilinear problem."""

    def __init__(self, rows: int = 40, columns: int = 30) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(0.3 * torch.randn(rows, 4)), nn.Parameter(0.3 * torch.randn(columns, 4))

    def forward(self, x: Tensor) -> Tensor:
        i, j = x[:, :40], x[:, 40:]
        return ((i @ self.a) * (j @ self.b)).sum(-1, keepdim=True)


def problems() -> list[Problem]:
    rng = np.random.default_rng(11)
    words = rng.integers(0, 12, (1200, 8))
    label = ((words == 3).sum(1) > (words == 7).sum(1)).astype(int)
    fx, fy = datasets.make_friedman1(1200, 10, noise=0.5, random_state=1)
    wine = datasets.load_wine()
    a, b = rng.normal(0, 1, (40, 4)), rng.normal(0, 1, (30, 4))
    i, j = rng.integers(0, 40, 900), rng.integers(0, 30, 900)
    entries = torch.tensor((a[i] * b[j]).sum(1, keepdims=True) + 0.1 * rng.normal(0, 1, (900, 1)), dtype=torch.float32)
    pairs = torch.tensor(np.c_[np.eye(40)[i], np.eye(30)[j]], dtype=torch.float32)
    x, y = digits()
    odd = Problem("odd digits", mlp(64, 48, 48, 2, act=nn.SiLU), x, y % 2, batch=32)

    return [
        Problem("attention", Attention, torch.tensor(words, dtype=torch.float32), torch.tensor(label), batch=32),
        Problem("friedman", mlp(10, 32, 32, 1, act=nn.GELU), standard(fx), standard(fy[:, None]), "mse", batch=32),
        Problem("wine", mlp(13, 24, 24, 3, act=nn.Sigmoid), standard(wine.data), torch.tensor(wine.target), batch=16),
        Problem("factors", Factors, pairs, entries / entries.std(), "mse", batch=32),
        odd,
        warm(odd, "warm odd digits", "nag", 1e-2, 150),
    ]
