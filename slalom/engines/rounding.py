"""Stochastic rounding to bfloat16 in torch: the same bits as the compiled step's (`slalom.engines.kernels.storage`).

A seed and a parameter's place in its group make a stream; the stream and the step make a key; the key, the array (the
parameter is number 0, the rule's states 1, 2, ...) and the element's place in memory make 16 bits. Nothing else takes
part, so a run that is loaded goes on exactly, on any number of threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from slalom.core.errors import BadValueError
from slalom.engines.kernels.storage import GOLDEN

_WORD = (1 << 64) - 1


def seed_of(group: dict[str, Any]) -> int | None:
    """A parameter group's seed, drawn from torch's generator when it is first needed; None without stochastic rounding."""
    if not group["stochastic_rounding"]:
        return None
    if "rounding_seed" not in group:
        group["rounding_seed"] = int(torch.randint(1 << 62, ()).item())
    seed: int = group["rounding_seed"]
    return seed


def check_rounding(who: str, groups: Sequence[Mapping[str, Any]], *, differentiable: bool) -> None:
    """Stochastic rounding that is asked for and impossible, or without anything to do, is a BadValueError."""
    asked = [g for g in groups if g["stochastic_rounding"]]
    if not asked:
        return
    said = f"{who}: stochastic_rounding=True"
    if differentiable:
        raise BadValueError(f"{said} has no derivative; leave out differentiable=True or stochastic_rounding")
    params = [(p, g["state_dtype"]) for g in asked for p in g["params"]]
    if any(p.dtype == torch.float16 for p, _ in params):
        raise BadValueError(f"{said} is for torch.bfloat16, but a parameter is torch.float16; use bfloat16 parameters")
    if not any(torch.bfloat16 in (p.dtype, chosen) for p, chosen in params):
        raise BadValueError(
            f"{said} does nothing, for neither a parameter nor a state is stored as torch.bfloat16; leave it out, or "
            "convert the model (model.bfloat16()) or choose state_dtype=torch.bfloat16"
        )


def stream(seed: int, position: int) -> int:
    """The stream of the parameter at a position of its group."""
    return _mix64(seed + GOLDEN * (position + 1))


def rounded(x: torch.Tensor, target: torch.Tensor, source: int, t: int, number: int) -> torch.Tensor:
    """`x` (float32 or float64) as bfloat16, rounded by chance; `target` has the memory layout that numbers the elements."""
    key = _mix64(_mix64(source + GOLDEN * t) + GOLDEN * (number // 2))
    bits = (_bits32(_places(target), key) >> (16 * (number % 2))) & 0xFFFF
    x = x.to(torch.float32)
    word = x.view(torch.int32).to(torch.int64) & 0xFFFFFFFF
    cut = ((word + bits) >> 16) & 0xFFFF
    signed = ((cut ^ 0x8000) - 0x8000).to(torch.int16)
    return torch.where(x.isfinite(), signed.view(torch.bfloat16), x.to(torch.bfloat16))


def _places(x: torch.Tensor) -> torch.Tensor:
    # Each element's distance from the first in memory; of a layout with gaps, its number.
    places = torch.arange(x.numel(), device=x.device)
    dense = x.is_contiguous() or torch.ops.aten.is_non_overlapping_and_dense(x)
    return places.as_strided(x.shape, x.stride()) if dense else places.view(x.shape)


def _mix64(x: int) -> int:
    x &= _WORD
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & _WORD
    return x ^ (x >> 31)


def _bits32(place: torch.Tensor, key: int) -> torch.Tensor:
    return _mix32(_mix32(place + (key & 0xFFFFFFFF)) + (key >> 32))


def _mix32(x: torch.Tensor) -> torch.Tensor:
    # 32-bit words in the lower half of 64-bit ones; a product's lower half is right even where the whole wraps.
    x = x & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)
