"""Small things to test on, with what is known of them."""

from __future__ import annotations

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
