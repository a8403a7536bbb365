"""What Slalom raises: one clear sentence that names the thing, its value, what is allowed and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SlalomError(Exception):
    """Base of every error that Slalom raises on purpose; the command line prints it without a traceback."""


class BadValueError(SlalomError, ValueError):
    """A value outside what is allowed."""


class UnknownNameError(SlalomError, LookupError):
    """A name that nothing is registered under."""

    def __str__(self) -> str:
        return str(self.args[0])


class BadDataError(SlalomError, ValueError):
    """Data that cannot be trained on: NaN, empty, wrong shapes, labels outside the classes."""


class MissingExtraError(SlalomError, ImportError):
    """An optional dependency that is not installed."""


class StoreError(SlalomError, OSError):
    """A run directory that cannot be read or written."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for `name`, with the nearest known names first, then all of them.

    >>> print(unknown_name("rule", "adma", ["sgd", "adam"]))
    there is no rule 'adma'; did you mean 'adam'? known: adam, sgd
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=2)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ";"
    return UnknownNameError(f"there is no {kind} {name!r}{hint} known: {', '.join(names)}")
