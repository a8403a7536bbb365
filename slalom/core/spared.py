"""Which parameters decay and penalties leave alone unless told otherwise: biases, norms, PReLU slopes."""

from __future__ import annotations

import re

from torch import nn

_BIAS = re.compile(r"(^|_)bias(_|$)")  # bias, in_proj_bias, bias_ih_l0

_PARAMETRIZED = re.compile(r"(?:^|(?<=\.))parametrizations\.(\w+)\.original\d*$")  # 0.parametrizations.bias.original


def why_spared(model: nn.Module, full: str, *, embeddings: bool = False) -> str:
    """Why the parameter of that name is spared, or nothing; `embeddings` spares their weights too.

    Norms are torch's and any module whose class name contains "Norm". A parametrized parameter (torch.nn.utils.parametrize)
    counts as what it stands for.

    >>> why_spared(nn.Sequential(nn.Linear(2, 2)), "0.bias")
    'bias'
    """
    path, _, name = _PARAMETRIZED.sub(r"\1", full).rpartition(".")
    module = model.get_submodule(path)
    kind = type(module).__name__.removeprefix("Parametrized")
    if _BIAS.search(name):
        return "bias"
    if "Norm" in kind or isinstance(module, nn.PReLU):
        return kind
    if embeddings and isinstance(module, nn.Embedding | nn.EmbeddingBag):
        return "embedding"
    return ""
