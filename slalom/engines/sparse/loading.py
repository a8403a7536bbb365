"""The counts and scalar states of rows in a loaded state, apart from the rest and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from slalom.core.errors import BadValueError
from slalom.core.rule import Settings
from slalom.engines.sparse.lazy import COUNT, row_key
from slalom.engines.sparse.modes import LAZY


def without_rows(
    loaded: Mapping[str, Any], settings: Settings, p: torch.Tensor, mode: str | None, where: str
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The loaded state without what rows have for themselves, and a copy of that, on the parameter's device.

    Raises BadValueError where rows are counted but the group is not `sparse="lazy"`, and for what does not fit the parameter.
    """
    keys = {COUNT: torch.int32}
    keys |= {row_key(settings, name): torch.float64 for name, state in settings.states.items() if state.scalar}
    rest = {k: v for k, v in loaded.items() if k not in keys}
    found = {k: v for k, v in loaded.items() if k in keys and v is not None}
    if not found:
        return rest, {}
    name = settings.rule.name
    if mode != LAZY:
        raise BadValueError(
            f"{name}: the loaded state of {where} counts the steps of every row ({', '.join(sorted(found))}), as sparse={LAZY!r} "
            f"does, but this group has sparse={mode!r}; load it into a group with sparse={LAZY!r}"
        )
    if missing := sorted(set(keys) - set(found)):
        raise BadValueError(f"{name}: the loaded state of {where} does not fit: missing {', '.join(missing)}")
    made = {}
    for key, value in found.items():
        shape = tuple(value.shape) if isinstance(value, torch.Tensor) else ()
        if not shape or shape != tuple(p.shape[: len(shape)]) or shape != tuple(found[COUNT].shape):
            raise BadValueError(
                f"{name}: the loaded {key} of {where} has shape {shape}, but needs one number a row of {tuple(p.shape)}; "
                "the model or its parameters' order has changed"
            )
        made[key] = value.detach().to(device=p.device, dtype=keys[key], copy=True).contiguous()
    if made[COUNT].numel() and int(made[COUNT].min()) < 0:
        raise BadValueError(f"{name}: the loaded {COUNT} of {where} must be at least 0, got {int(made[COUNT].min())}")
    return rest, made
