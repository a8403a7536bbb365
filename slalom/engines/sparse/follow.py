"""Embedding tables that are caught up before they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from slalom.engines.sparse.steps import SparseSteps


class Following:
    """The hooks that `optimizer.follow(model)` has put on embedding modules; `remove()` takes them off.

    Also a context manager, which removes them at its end.
    """

    def __init__(self, optimizer: SparseSteps, tables: Sequence[nn.Module]) -> None:
        self._optimizer = optimizer
        self._handles: list[Any] = []
        for module in tables:
            self._handles.append(module.register_forward_pre_hook(self._before_lookup, with_kwargs=True))
            more: Any = module  # torch has no types for these two
            self._handles.append(more.register_state_dict_pre_hook(self._before_all))
            self._handles.append(more.register_load_state_dict_pre_hook(self._before_all))

    def remove(self) -> None:
        """Takes the hooks off; rows that are behind stay so until they are next caught up."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def __enter__(self) -> Following:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()

    def _before_lookup(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        rows = args[0] if args else kwargs.get("input")
        table = module.weight
        behind = self._optimizer.__dict__.get("_behind", {}).get(table)
        if behind is not None and isinstance(rows, torch.Tensor) and isinstance(table, torch.Tensor):
            self._optimizer.catch_up(table, rows if len(behind.lead) == 1 else None)

    def _before_all(self, module: nn.Module, *_: Any) -> None:
        if isinstance(module.weight, torch.Tensor):
            self._optimizer.catch_up(module.weight)
