"""The small networks of the fault bench, as a person would write them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

ACTS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "none": nn.Identity,
}  # fmt: skip


def mlp(
    n: int, out: int, hidden: tuple[int, ...] = (64,), act: str = "relu", norm: bool = False, dropout: float = 0.0,
    init: str = "torch", flat: bool = False, last: nn.Module | None = None,
) -> nn.Module:  # fmt: skip
    """A stack of linear layers; `init="he"` draws He normal weights."""
    layers: list[nn.Module] = [nn.Flatten()] if flat else []
    for width in hidden:
        layers.append(nn.Linear(n, width))
        layers += [nn.BatchNorm1d(width)] * norm
        layers.append(ACTS[act]())
        if dropout:
            layers.append(nn.Dropout(dropout))
        n = width
    layers.append(nn.Linear(n, out))
    if last is not None:
        layers.append(last)
    model = nn.Sequential(*layers)
    if init == "he":
        for m in model.modules():
            if isinstance(m, nn.Linear):
                nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
                nn.init.zeros_(m.bias)
    return model


def cnn(
    out: int, channels: tuple[int, ...] = (8, 16), act: str = "relu", norm: bool = False, dropout: float = 0.0, side: int = 8,
    last: nn.Module | None = None,
) -> nn.Module:  # fmt: skip
    """Convolutions with pooling, then one linear layer."""
    layers: list[nn.Module] = []
    n = 1
    for width in channels:
        layers.append(nn.Conv2d(n, width, 3, padding=1))
        layers += [nn.BatchNorm2d(width)] * norm
        layers += [ACTS[act](), nn.AvgPool2d(2)]
        n, side = width, side // 2
    layers += [nn.Flatten(), *([nn.Dropout(dropout)] if dropout else []), nn.Linear(n * side * side, out)]
    if last is not None:
        layers.append(last)
    return nn.Sequential(*layers)


class Recurrent(nn.Module):
    """A recurrent layer read at the last step."""

    def __init__(self, features: int, out: int, hidden: int = 32, kind: str = "gru", dropout: float = 0.0,
                 last: nn.Module | None = None) -> None:  # fmt: skip
        super().__init__()
        cell = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}[kind]
        self.rnn = cell(features, hidden, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, out)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        made: Tensor = self.head(self.drop(states[:, -1]))
        return made if self.last is None else self.last(made)


class Attention(nn.Module):
    """One block of self-attention over `[n, time, features]`, averaged."""

    def __init__(self, features: int, out: int, width: int = 24, dropout: float = 0.0, length: int = 12,
                 last: nn.Module | None = None) -> None:  # fmt: skip
        super().__init__()
        self.embed = nn.Linear(features, width)
        self.place = nn.Parameter(torch.randn(length, width) * 0.1)
        self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(2 * width, width))
        self.head = nn.Linear(width, out)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x) + self.place
        q, k, v = self.query(h), self.key(h), self.value(h)
        weights = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(h.shape[-1]), -1)
        h = self.norm(h + weights @ v)
        h = h + self.mix(h)
        made: Tensor = self.head(h.mean(1))
        return made if self.last is None else self.last(made)
