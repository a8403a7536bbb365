"""Teaching pictures by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slalom.core.errors import unknown_name

_MAKERS: dict[str, Callable[[], Any]] = {}


def lesson(maker: Callable[[], Any]) -> Callable[[], Any]:
    """Keep a picture's maker under its name, with hyphens."""
    _MAKERS[maker.__name__.replace("_", "-")] = maker
    return maker


def lessons() -> dict[str, str]:
    """Every name with what the picture shows."""
    return {name: " ".join((maker.__doc__ or "").split("\n\n")[0].split()) for name, maker in _MAKERS.items()}


def teach(name: str) -> Any:
    """The record of a teaching picture; `.plot()` and `.save(path)` draw it. Errors: UnknownNameError.

    >>> teach("bias-correction").charts[0].title
    'The averages, under a gradient of 1'
    """
    key = name.strip().lower().replace("_", "-").replace(" ", "-")
    if key not in _MAKERS:
        raise unknown_name("teaching picture", name, _MAKERS)
    return _MAKERS[key]()
