"""What lanes are made of: a module for each, and how many stand together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from slalom.core.errors import BadValueError
from slalom.engines.lanes.dropout import owned
from slalom.engines.lanes.lane import Lane
from slalom.engines.lanes.layout import Layout, as_factory, initialise

# Lanes a chunk: the working set of an MLP of 10,000 parameters then fits a core's share of the cache. A lane that runs in C has
# a working set of its own, so that only the cost of a call counts.
CHUNK, NATIVE_CHUNK = 32, 128


def chunk_size(lanes: int, threads: int, mechanism: str = "stacked") -> int:
    """Lanes a chunk: as many chunks for each thread as for any other, none larger than the cache likes.

    >>> chunk_size(297, 2), chunk_size(36, 2), chunk_size(297, 2, "native")
    (30, 18, 75)
    """
    most = NATIVE_CHUNK if mechanism == "native" else CHUNK
    rounds = math.ceil(lanes / (most * threads))
    return math.ceil(lanes / (rounds * threads))


def modules_of(
    model: nn.Module | Callable[[], nn.Module] | Sequence[nn.Module], lanes: Sequence[Lane], dtype: torch.dtype
) -> list[nn.Module]:
    """Each lane's freshly initialised module; lanes of one seed share it, where a factory makes it. All are of one layout."""
    modules = _made(model, lanes, dtype)
    if any(lane.dropout is not None for lane in lanes):
        own = {id(module): module for module in modules}
        owned_by = {key: owned(module) for key, module in own.items()}
        modules = [owned_by[id(module)] for module in modules]
    layout = Layout.of(modules[0])
    for lane, module in zip(lanes, modules, strict=True):
        if Layout.of(module) != layout:
            raise BadValueError(f"the factory made another architecture for seed {lane.seed}; lanes of a heat must share one")
    return modules


def _made(
    model: nn.Module | Callable[[], nn.Module] | Sequence[nn.Module], lanes: Sequence[Lane], dtype: torch.dtype
) -> list[nn.Module]:
    if isinstance(model, Sequence):
        if len(model) != len(lanes):
            raise BadValueError(f"there are {len(model)} modules for {len(lanes)} lanes; give one a lane, or a factory")
        return [module.to(dtype) for module in model]
    factory = as_factory(model)
    by_seed = {seed: initialise(factory, seed).to(dtype) for seed in sorted({lane.seed for lane in lanes})}
    return [by_seed[lane.seed] for lane in lanes]
