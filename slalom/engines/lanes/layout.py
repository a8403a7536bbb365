"""All parameters of a module as one row, so that a lane is a row of a matrix and a rule sees one tensor."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slalom.core.errors import BadValueError
from slalom.engines.lanes.generator import seeded


@dataclass(frozen=True)
class Layout:
    """Where each parameter lies in the row: names, shapes, sizes, in the module's order."""

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]

    @classmethod
    def of(cls, module: nn.Module) -> Layout:
        lazy = [k for k, p in module.named_parameters() if isinstance(p, nn.parameter.UninitializedParameter)]
        if lazy:
            raise BadValueError(
                f"the parameter {lazy[0]} has no shape yet; run a batch through the model before it is handed over"
            )
        named = [(k, p) for k, p in module.named_parameters() if p.requires_grad]
        if not named:
            raise BadValueError("the model has no parameter that requires a gradient; nothing to train")
        bad = {str(p.dtype) for _, p in named if not p.dtype.is_floating_point}
        if bad:
            raise BadValueError(f"lanes train real floating-point parameters; this model has {', '.join(sorted(bad))}")
        return cls(tuple(k for k, _ in named), tuple(p.shape for _, p in named))

    @property
    def sizes(self) -> list[int]:
        return [s.numel() for s in self.shapes]

    @property
    def length(self) -> int:
        return sum(self.sizes)

    def split(self, rows: Tensor) -> dict[str, Tensor]:
        """Views `[n, *shape]` of each parameter of `rows [n, length]`."""
        parts = torch.split(rows, self.sizes, dim=1)
        return {k: v.reshape(len(rows), *s) for k, s, v in zip(self.names, self.shapes, parts, strict=True)}

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """The inverse of `split`: `[n, *shape]` of each parameter, in any memory order, copied once into rows `[n, length]`."""
        rows = parts[0].new_empty(len(parts[0]), self.length)
        for view, part in zip(self.split(rows).values(), parts, strict=True):
            view.copy_(part)
        return rows

    def row(self, module: nn.Module) -> Tensor:
        """The module's parameters as one row `[length]`."""
        named = dict(module.named_parameters())
        return torch.cat([named[k].detach().reshape(-1) for k in self.names])


def beside(module: nn.Module) -> dict[str, Tensor]:
    """What a lane holds beside the parameters that are trained: buffers, and frozen parameters, which nothing changes."""
    frozen = {k: p.detach() for k, p in module.named_parameters() if not p.requires_grad}
    return {**frozen, **dict(module.named_buffers())}


def aliases(module: nn.Module) -> dict[str, str]:
    """Each name in the module's state_dict -> the name under which a lane holds it; they differ where tensors are tied."""
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    first: dict[int, str] = {}
    held = {k: first.setdefault(id(v), k) for k, v in named}
    return {k: held[k] for k in module.state_dict() if k in held}


def initialise(model: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A fresh module from the factory, exactly as after `torch.manual_seed(seed)`; the caller's generator is untouched."""
    with seeded(seed):
        module = model()
    if not isinstance(module, nn.Module):
        raise BadValueError(f"the model factory must return a torch.nn.Module, got {type(module).__name__}")
    return module


def as_factory(model: nn.Module | Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """A factory as it is; a module as a factory of its copies."""
    if isinstance(model, nn.Module):
        return lambda: copy.deepcopy(model)
    if not callable(model):
        raise BadValueError(f"model must be an nn.Module or a callable that makes one, got {type(model).__name__}")
    return model
