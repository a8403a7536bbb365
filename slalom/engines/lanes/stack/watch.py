"""Which layer of a module called what, while its forward runs once."""

from __future__ import annotations

from typing import Any, Self

from torch import nn

from slalom.engines.lanes.stack.forms import HOW


class Watch:
    """A context in which `used` notes a replaced function under the layer that is running."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.device = next(module.parameters()).device
        self.running: list[str] = []
        self.seen: dict[str, set[str]] = {}
        self.hooks: list[Any] = []

    def __enter__(self) -> Self:
        for name, part in self.module.named_modules():
            self.hooks.append(part.register_forward_pre_hook(lambda _m, _x, name=name: self._begin(name)))
            self.hooks.append(part.register_forward_hook(lambda _m, _x, _y: self._end(), always_call=True))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _begin(self, name: str) -> None:
        self.running.append(name)
        self.seen.setdefault(name, set())

    def _end(self) -> None:
        self.running.pop()

    def used(self, func: Any) -> None:
        """A lane form took the place of `func`."""
        how = HOW[func]
        self.seen.setdefault(self.running[-1] if self.running else "", set()).add(
            how if isinstance(how, str) else how(self.device)
        )

    def lines(self) -> list[str]:
        """`Linear: one batched matrix product (fc1, fc2)`, a line for each kind of layer that ran."""
        parts = dict(self.module.named_modules())
        found: dict[str, list[str]] = {}
        for name, ways in self.seen.items():
            if ways or not list(parts[name].children()):
                how = " and ".join(sorted(ways)) or "by the rules of torch.vmap"
                found.setdefault(f"{type(parts[name]).__name__}: {how}", []).append(name or "the model itself")
        return [f"{kind} ({_some(names)})" for kind, names in found.items()]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 4 else ""
    return ", ".join(names[:3] if more else names) + more
