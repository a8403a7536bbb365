"""Small things to test on, with what is known of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

G = torch.Generator().manual_seed(5)
X = torch.randn(96, 6, generator=G)
Y = torch.randint(0, 3, (96,), generator=G)
SHARP = 4.0


class Bowl(nn.Module):
    """As mse against 0, gradient descent on it converges below lr = 2 / SHARP and diverges above."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        return (SHARP / 2) ** 0.5 * 2 * self.w + 0 * x  # mean of 4: (SHARP / 2) w_i^2 summed


def bowl_loader() -> DataLoader:
    return DataLoader(TensorDataset(torch.zeros(8, 4), torch.zeros(8, 4)), batch_size=4)


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))


def loader(shuffle: bool = True) -> DataLoader:
    return DataLoader(TensorDataset(X, Y), batch_size=16, shuffle=shuffle)


class Scripted:
    """A subject whose losses are `loss(lr, seed, steps)` for an array of step numbers; it counts what was asked for."""

    name, per_epoch, default_lr = "scripted", 10, None

    def __init__(self, loss):
        self.loss, self.notes, self.steps = loss, [], {}

    def start(self, runs):
        return ScriptedHeat(self, list(runs))


class ScriptedHeat:
    def __init__(self, subject, runs, t=0):
        self.subject, self.runs, self.t = subject, runs, t

    def advance(self, steps):
        times = np.arange(self.t, self.t + steps)
        self.t += steps
        for run in self.runs:
            self.subject.steps[run.lr, run.seed] = self.t
        factors = [np.array([1.0 if run.factor is None else run.factor(t) for t in times]) for run in self.runs]
        return np.stack([self.subject.loss(r.lr * f, r.seed, times) for r, f in zip(self.runs, factors, strict=True)], axis=1)

    def only(self, numbers):
        return ScriptedHeat(self.subject, [self.runs[i] for i in numbers], self.t)
