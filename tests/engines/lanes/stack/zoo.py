"""One small model for each kind of layer, all for inputs `[batch, 16]` and 5 classes."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slalom.nets import Maxout, Swish


class Over(nn.Module):
    """`body` on inputs of another shape; `take` of what it returns goes to a linear layer."""

    def __init__(self, shape: tuple[int, ...], body: nn.Module, width: int, take: Callable[..., Tensor] = lambda h: h.flatten(1)):
        super().__init__()
        self.shape, self.body, self.take = shape, body, take
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.take(self.body(x.view(-1, *self.shape))))


class Words(nn.Module):
    """Inputs to words of a table with a padding row, then their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(9, 7, padding_idx=4)
        self.head = nn.Linear(7, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.table((x * 2).round().clamp(-4, 4).long() + 4).mean(1))


class Attends(nn.Module):
    """Attention with a mask, with and without its weights, keys of another width, a sequence-first layout."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.own = nn.MultiheadAttention(4, 2, dropout)
        self.across = nn.MultiheadAttention(4, 2, dropout, kdim=3, vdim=5, batch_first=True)
        self.key, self.value, self.head = nn.Linear(4, 3), nn.Linear(4, 5), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.view(-1, 4, 4)
        mask = torch.ones(4, 4, dtype=torch.bool, device=x.device).triu(1)
        first = self.own(tokens.transpose(0, 1), tokens.transpose(0, 1), tokens.transpose(0, 1), attn_mask=mask)[0].transpose(
            0, 1
        )
        second = self.across(first, self.key(tokens), self.value(tokens), need_weights=False)[0]
        return self.head(second[:, -1])


class Own(nn.Module):
    """Parameters of its own in functions of torch, shapes taken apart, joined, normalised by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.scale = nn.Parameter(torch.randn(6, 16) / 4), nn.Parameter(torch.ones(()))
        self.cell, self.head = nn.GRUCell(4, 6), nn.Linear(18, 5)
        self.memory = nn.LSTMCell(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        a = F.linear(x, self.weight)
        steps = x.view(x.size(0), 4, -1)
        h, c = None, None
        for t in range(4):
            h = self.cell(steps[:, t], h)
            c = self.memory(steps[:, 3 - t], c)
        joined = torch.cat([a - a.mean(1, keepdim=True), h, c[0]], dim=1)
        return self.head(torch.tanh(self.scale * joined))


def encoder(dropout: float = 0.0, norm_first: bool = False) -> nn.Module:
    layer = nn.TransformerEncoderLayer(4, 2, 6, dropout, batch_first=True, norm_first=norm_first, activation="gelu")
    return Over((4, 4), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), 4, lambda h: h.mean(1))


def recurrent(cls: type[nn.Module], batch_first: bool = True, **options) -> nn.Module:
    width = 6 * (1 + options.get("bidirectional", False))
    body = cls(4, 6, batch_first=batch_first, **options)  # time first: the rows of the batch are taken for time steps
    return Over(
        (4, 4), body, width if batch_first else 4 * width, lambda made: made[0][:, -1] if batch_first else made[0].flatten(1)
    )


class Starts(nn.Module):
    """States that are trained, one a layer and direction."""

    def __init__(self, cls: type[nn.Module]) -> None:
        super().__init__()
        self.body, self.head = cls(4, 6, 2, bidirectional=True, batch_first=True), nn.Linear(12, 5)
        self.start = nn.Parameter(torch.randn(4, 1, 6))

    def forward(self, x: Tensor) -> Tensor:
        h = self.start.expand(-1, len(x), -1)
        start = (h.contiguous(), torch.tanh(h)) if isinstance(self.body, nn.LSTM) else h.contiguous()
        return self.head(self.body(x.view(-1, 4, 4), start)[0].mean(1))


def last_state(made: tuple) -> Tensor:
    return made[1][0][-1] + made[1][1][0]


LAYERS = {
    "conv1d": lambda: Over((2, 8), nn.Sequential(nn.Conv1d(2, 4, 3, 2, 1), nn.Tanh(), nn.AvgPool1d(2)), 8),
    "conv2d": lambda: Over((1, 4, 4), nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 2, groups=2)), 36),
    "pools": lambda: Over((1, 4, 4), nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)), 4),
    "batchnorm2d": lambda: Over((1, 4, 4), nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ELU()), 16),
    "batchnorm1d": lambda: Over((2, 8), nn.Sequential(nn.Conv1d(2, 4, 3, bias=False), nn.BatchNorm1d(4, affine=False)), 24),
    "layernorm": lambda: Over((4, 4), nn.Sequential(nn.LayerNorm((4, 4)), nn.Linear(4, 6), nn.LayerNorm(6, bias=False)), 24),
    "groupnorm": lambda: Over((4, 4), nn.Sequential(nn.GroupNorm(2, 4), nn.GELU(), nn.GroupNorm(4, 4, affine=False)), 16),
    "embedding": Words,
    "maxout": lambda: nn.Sequential(Maxout(16, 6, 3), Swish(1.5, True), nn.Linear(6, 6), Swish(0.5), nn.Linear(6, 5)),
    "attention": Attends,
    "encoder": encoder,
    "encoder, norm first": lambda: encoder(norm_first=True),
    "rnn": lambda: recurrent(nn.RNN, num_layers=2),
    "rnn relu, no bias": lambda: recurrent(nn.RNN, nonlinearity="relu", bias=False),
    "gru, both ways": lambda: recurrent(nn.GRU, num_layers=2, bidirectional=True),
    "gru, no bias, time first": lambda: recurrent(nn.GRU, False, bias=False),
    "lstm, both ways": lambda: recurrent(nn.LSTM, num_layers=2, bidirectional=True),
    "lstm, last states": lambda: Over((4, 4), nn.LSTM(4, 6, 2, batch_first=True), 6, last_state),
    "gru, own start": lambda: Starts(nn.GRU),
    "lstm, own start": lambda: Starts(nn.LSTM),
    "own": Own,
}
WITH_DROPOUT = {
    "encoder": lambda: encoder(0.2),
    "attention": lambda: Attends(0.3),
    "lstm": lambda: recurrent(nn.LSTM, num_layers=2, dropout=0.3, bidirectional=True),
    "conv": lambda: Over((1, 4, 4), nn.Sequential(nn.Conv2d(1, 4, 3), nn.Dropout2d(0.3), nn.Dropout(0.2)), 16),
}
