"""Small models that between them need every mechanism."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 5))


def normed() -> nn.Module:
    # No bias ahead of BatchNorm: its true gradient is 0 and Adam would turn rounding noise into steps (lanes.md, section 3).
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(16, 12, bias=False),
        nn.BatchNorm1d(12),
        nn.PReLU(12),
        nn.Linear(12, 9),
        nn.Sigmoid(),
        nn.Linear(9, 5),
    )


def dropping() -> nn.Module:
    return nn.Sequential(
        nn.Linear(16, 20), nn.SiLU(), nn.Dropout(0.4), nn.Linear(20, 20), nn.GELU(), nn.Dropout(0.2), nn.Linear(20, 5)
    )


class Residual(nn.Module):
    """Not a chain."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = normed()
        self.skip = nn.Linear(16, 5)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + self.skip(self.drop(x))


class Conv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.norm(self.conv(x.view(-1, 1, 4, 4)))).flatten(1))


class Gru(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(4, 6, batch_first=True)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(x.view(-1, 4, 4))[0][:, -1])


MODELS = {"mlp": (mlp, "native"), "normed": (normed, "native"), "conv": (Conv, "traced"), "gru": (Gru, "traced")}
RANDOM_MODELS = {"dropping": (dropping, "native"), "residual": (Residual, "traced")}
