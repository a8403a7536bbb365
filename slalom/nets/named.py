"""A model of one's own by its place: `package.module:function`."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slalom.core.errors import BadValueError, unknown_name
from slalom.nets.spec import KINDS

_PLACE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def looks_like_place(text: str) -> bool:
    """Whether a spec names a function in a module rather than one of our kinds.

    >>> looks_like_place("my.models:small"), looks_like_place("mlp:relu"), looks_like_place("mpl:64,64:relu")
    (True, False, False)
    """
    return _PLACE.fullmatch(text) is not None and text.split(":")[0] not in KINDS


def find(text: str, what: str = "model", returns: str = "an nn.Module") -> Callable[..., Any]:
    """The function or class at `package.module:name`, looked for in the current directory too.

    `what` it is called in errors, and what it `returns`.
    """
    module_name, name = text.split(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(error.name + ".")):
            raise BadValueError(
                f"{what} {text!r}: {module_name} needs the module {error.name!r}, which is not installed"
            ) from error
        hint = f"; and as a spec, {unknown_name('model', module_name, KINDS)}" if what == "model" else ""
        raise BadValueError(
            f"{what} {text!r}: there is no module {error.name!r} in {here} or installed, for a function of your own{hint}"
        ) from None
    except Exception as error:
        raise BadValueError(f"{what} {text!r}: importing {module_name} raised {type(error).__name__}: {error}") from error
    finally:
        if here in sys.path:
            sys.path.remove(here)
    for part in name.split("."):
        if not hasattr(found, part):
            known = [key for key, value in vars(found).items() if callable(value) and not key.startswith("_")]
            raise unknown_name(f"function in {module_name}", name, known)
        found = getattr(found, part)
    if not callable(found):
        raise BadValueError(f"{what} {text!r} is a {type(found).__name__}; it must be a function or class that returns {returns}")
    return found  # type: ignore[no-any-return]
