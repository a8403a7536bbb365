"""The built-in data sets by name; a name may carry arguments: `spirals:n=1000,noise=.1`."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from slalom.core.errors import BadValueError, UnknownNameError, unknown_name
from slalom.data import generators, shipped
from slalom.data.raw import Raw

SOURCES: dict[str, Callable[..., Raw]] = {
    made.__name__: made
    for made in (
        shipped.digits, shipped.breast_cancer, shipped.wine, shipped.iris, shipped.diabetes,
        generators.spirals, generators.moons, generators.zipf, generators.teacher, generators.noisy_digits,
    )
}  # fmt: skip


def names() -> dict[str, str]:
    """The built-in data sets, each with one line on what it is.

    >>> print(names()["iris"])
    Three species of iris by four measurements of the flower: 150 rows, 3 classes.
    """
    return {name: (inspect.getdoc(made) or "").split("\n")[0] for name, made in SOURCES.items()}


def built_in(text: str) -> Raw:
    """The data set that `name` or `name:argument=value,...` stands for."""
    name, _, arguments = text.partition(":")
    if name not in SOURCES:
        error = unknown_name("data set", name, SOURCES)
        raise UnknownNameError(f"{error}; a file is given by its path, which ends in .csv, .tsv, .parquet or .npz")
    made = SOURCES[name]
    return made(**_arguments(name, arguments, made)) if arguments else made()


def _arguments(name: str, text: str, made: Callable[..., Raw]) -> dict[str, float]:
    defaults = {key: parameter.default for key, parameter in inspect.signature(made).parameters.items()}
    if not defaults:
        raise BadValueError(f"{name} takes no arguments, got {text!r}; write just {name!r}")
    given: dict[str, float] = {}
    for part in text.split(","):
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals:
            form = ",".join(f"{k}={v}" for k, v in defaults.items())
            raise BadValueError(f"{name}: arguments are written argument=value, got {part!r}; for instance {name}:{form}")
        if key not in defaults:
            raise unknown_name(f"argument of {name}", key, defaults)
        if key in given:
            raise BadValueError(f"{name}: {key} is given twice")
        kind = type(defaults[key])
        try:
            given[key] = kind(value)
        except ValueError:
            needed = "a whole number" if kind is int else "a number"
            raise BadValueError(f"{name}: {key} must be {needed}, got {value!r}") from None
    return given
