"""The models that lanes are timed and checked on: three MLPs, a small CNN, a GRU and a transformer encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slalom.nets import cnn


def mlp(hidden: int) -> Callable[[], nn.Module]:
    """64-H-H-10 with relu."""
    return lambda: nn.Sequential(
        nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10)
    )  # fmt: skip


class Gru(nn.Module):
    """24 units over 15 steps of 8 numbers; the last output is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(8, 24, batch_first=True)
        self.head = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(x)[0][:, -1])


class Transformer(nn.Module):
    """Two encoder layers, d 32, 4 heads, feed-forward 64, over 16 tokens of 8 numbers; their mean is classified."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 32)
        self.place = nn.Embedding(16, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.embed(x) + self.place(torch.arange(x.shape[1], device=x.device))).mean(1))


@dataclass(frozen=True)
class Case:
    """A model, a sample's shape, batch size and number of lanes."""

    model: Callable[[], nn.Module]
    shape: tuple[int, ...]
    batch: int
    lanes: int

    def data(self, count: int = 512) -> tuple[Tensor, Tensor]:
        """Random samples and classes."""
        g = torch.Generator().manual_seed(0)
        return torch.randn(count, *self.shape, generator=g), torch.randint(0, 10, (count,), generator=g)


CASES = {
    "mlp 32": Case(mlp(32), (64,), 32, 64),
    "mlp 64": Case(mlp(64), (64,), 64, 64),
    "mlp 256": Case(mlp(256), (64,), 128, 64),
    "cnn": Case(lambda: cnn((1, 8, 8), (8, 16), 10), (1, 8, 8), 32, 32),
    "gru": Case(Gru, (15, 8), 32, 64),
    "transformer": Case(Transformer, (16, 8), 32, 64),
}
