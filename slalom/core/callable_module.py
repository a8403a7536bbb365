"""A room that is also a function: `slalom.tune(...)` runs, and `slalom.tune.space` is a module of the room."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def make_callable(module: str, function: Callable[..., Any]) -> None:
    """Let the imported `module` be called as `function`.

    Importing a sub-module sets its package's name in the parent, so a function of the same name there would be overwritten.

    >>> import types
    >>> room = sys.modules["a_room"] = types.ModuleType("a_room")
    >>> make_callable("a_room", lambda x: x + 1)
    >>> room(1)
    2
    """

    class Room(ModuleType):
        __doc__ = function.__doc__

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

    sys.modules[module].__class__ = Room
