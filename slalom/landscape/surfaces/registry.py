"""Surfaces by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from slalom.core.errors import BadValueError, unknown_name
from slalom.landscape.surfaces.own import own_surface
from slalom.landscape.surfaces.record import Surface

Like = str | Surface | Callable[[Any, Any], Any]
_MAKERS: dict[str, Callable[[], Surface]] = {}
_MADE: dict[str, Surface] = {}


def register(maker: Callable[[], Surface]) -> Callable[[], Surface]:
    """Keep a surface under its maker's name; it is made when first asked for (noisy moons need scikit-learn)."""
    _MAKERS[maker.__name__] = maker
    return maker


def names() -> list[str]:
    """All names, in the order they are shown."""
    return list(_MAKERS)


def surfaces() -> Iterable[Surface]:
    """All of them."""
    return [surface(name) for name in names()]


def surface(like: Like, rotate: float = 0.0) -> Surface:
    """A surface by name, or your own function `f(x, y)`, turned by so many degrees.

    `like`: a name of `names()`, a `Surface`, a function of two numbers (see `own_surface` for its start and box), or where
    one is to be imported from, `"package.module:function"` (a `Surface` there is taken as it is).
    Errors: UnknownNameError, BadValueError.

    >>> surface("beale").minima
    ((3.0, 0.5),)
    """
    if isinstance(like, Surface):
        made = like
    elif isinstance(like, str) and ":" in like:
        found = _imported(like)
        made = found if isinstance(found, Surface) else own_surface(found)
    elif isinstance(like, str):
        key = like.strip().lower().replace(" ", "_").replace("-", "_")
        if key not in _MAKERS:
            raise unknown_name("surface", like, _MAKERS)
        if key not in _MADE:
            _MADE[key] = _MAKERS[key]()
        made = _MADE[key]
    elif callable(like):
        made = own_surface(like)
    else:
        raise BadValueError(f"a surface is a name, a Surface or a function f(x, y), got {like!r}; names: {', '.join(_MAKERS)}")
    return made.rotated(rotate) if rotate else made


def _imported(text: str) -> Any:
    module, _, name = text.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadValueError(f"cannot import the surface {text}: {error}; write package.module:function") from error
