"""The small tasks of the book: digits, noisy digits, spirals, sparse words."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from slalom.claims.lab.training import Task
from slalom.data import load
from slalom.nets import mlp

TRAIN = 1200


@lru_cache(maxsize=1)
def all_digits() -> tuple[Tensor, Tensor]:
    data = load("digits", scale=False)
    x = torch.cat([p.x for p in (data.train, data.val, data.test)]).reshape(-1, 64) / 16
    y = torch.cat([p.y for p in (data.train, data.val, data.test)])
    order = torch.tensor(np.random.default_rng(0).permutation(len(x)))
    return x[order], y[order]


def digits(
    widths: tuple[int, ...] = (32,), act: str = "relu", batch: int = 64, steps: int = 300, batchnorm: bool = False,
    standardised: bool = False,
) -> Task:  # fmt: skip
    """DG: 1200 handwritten digits to train on, 597 to test, an MLP 64-32-10; pixels from 0 to 1, or standardised one by one."""
    x, y = all_digits()
    if standardised:
        x = (x - x[:TRAIN].mean(0)) / x[:TRAIN].std(0).clamp(min=0.1)
    make = lambda: mlp((64,), widths, 10, act, batchnorm=batchnorm)  # noqa: E731
    return Task(x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:], make, batch, steps)


def spirals(widths: tuple[int, ...] = (32,) * 4, act: str = "relu", batch: int = 64, steps: int = 600) -> Task:
    """Two spiral arms in the plane: 1000 points to train on, 1000 to test; what digits cannot rank, this can."""
    # Split seed 1: the generator draws radii from the stream of seed 0, by which split seed 0 would sort the rows.
    data = load("spirals:n=2000,noise=0.05", split=(0.5, 0.25, 0.25), seed=1)
    x, y = torch.cat([data.val.x, data.test.x]), torch.cat([data.val.y, data.test.y])
    return Task(data.train.x, data.train.y, x, y, lambda: mlp((2,), widths, 2, act), batch, steps)


def bernoulli(features: int, density: float | None, n: int, seed: int, batch: int = 32) -> Task:
    """SP: binary features, with Zipf frequencies (`density` None) or all of one density; labels of a logistic model.

    One pass over the `n` rows; the test part is 4000 rows more, and `test_y` are the true probabilities.
    """
    rng = np.random.default_rng(1000 + seed)
    p = 0.5 / np.arange(1, features + 1) if density is None else np.full(features, density)
    weight = rng.standard_normal(features)
    x = (rng.random((n + 4000, features)) < p).astype(np.float32)
    chance = 1 / (1 + np.exp(-(x @ weight - p @ weight)))
    y = (rng.random(len(x)) < chance).astype(np.float32)
    tx, ty = torch.tensor(x), torch.tensor(y)[:, None]
    true = torch.tensor(chance, dtype=torch.float32)[n:, None]
    return Task(tx[:n], ty[:n], tx[n:], true, lambda: nn.Linear(features, 1), batch, n // batch, logistic)


def logistic(outputs: Tensor, chance: Tensor) -> Tensor:
    """Cross-entropy of logits against labels or probabilities."""
    return nn.functional.binary_cross_entropy_with_logits(outputs, chance)


def entropy(chance: Tensor) -> float:
    """The loss of the true probabilities: what no model goes below."""
    return float(nn.functional.binary_cross_entropy(chance, chance))
