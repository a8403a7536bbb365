"""Dropout whose share is a lane's own: a buffer, so that lanes of different shares are one program."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slalom.core.errors import BadValueError


class OwnDropout(nn.Module):
    """`nn.Dropout` whose share `p` is a buffer; it does not enter the state dict, as nn.Dropout's does not."""

    p: Tensor

    def __init__(self, p: float) -> None:
        super().__init__()
        self.register_buffer("p", torch.tensor(float(p)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        # Evaluated apart, since F.dropout looks at the number first, which under vmap is many.
        return F.dropout(x, self.p, True) if self.training else x  # type: ignore[arg-type]


def sites(module: nn.Module) -> list[str]:
    """The names of the module's `nn.Dropout`s, or of what stands for them."""
    return [name for name, part in module.named_modules(remove_duplicate=False) if type(part) in (nn.Dropout, OwnDropout)]


def shares(module: nn.Module) -> list[str]:
    """The names of the buffers that hold a lane's own shares."""
    own = {id(part.p) for part in module.modules() if isinstance(part, OwnDropout)}
    return [name for name, buffer in module.named_buffers() if id(buffer) in own]


def owned(module: nn.Module) -> nn.Module:
    """The module with every `nn.Dropout` in it replaced, in place; an error where there is none."""
    made: dict[nn.Module, OwnDropout] = {}
    kind = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
    for name in sites(module):
        part = module.get_submodule(name)
        assert isinstance(part, nn.Dropout)
        module = _put(module, name, made.setdefault(part, OwnDropout(part.p).to(kind)))
    if not made:
        raise BadValueError(f"dropout: {type(module).__name__} has no nn.Dropout whose share a lane could set; put some in")
    return module


def plain(module: nn.Module) -> nn.Module:
    """The module with torch's own again, in place."""
    for name in sites(module):
        part = module.get_submodule(name)
        if isinstance(part, OwnDropout):
            module = _put(module, name, nn.Dropout(_number(part.p)).train(part.training))
    return module


def _number(p: Tensor) -> float:
    return float(p) if p.dtype == torch.float64 else round(float(p), 7)  # 0.2, not the 0.20000000298 next to it


def _put(module: nn.Module, name: str, part: nn.Module) -> nn.Module:
    if not name:
        return part
    path, _, last = name.rpartition(".")
    setattr(module.get_submodule(path), last, part)
    return module
