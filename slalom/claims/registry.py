"""Every claim with its experiment; a file registers its own when it is imported."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from slalom.claims.claim import Claim, Experiment
from slalom.core.errors import BadValueError, unknown_name

ROOMS = ("optimizers", "rates", "regularisation", "activations")
LETTERS = "OLRHCAB"


class Entry(NamedTuple):
    claim: Claim
    run: Experiment


_FOUND: dict[str, Entry] = {}


def experiment(claim: Claim) -> Callable[[Experiment], Experiment]:
    """Registers the function that it decorates as the experiment on `claim`."""

    def register(run: Experiment) -> Experiment:
        if claim.id in _FOUND:
            raise BadValueError(f"claim {claim.id} has an experiment already; give the new one another id")
        _FOUND[claim.id] = Entry(claim, run)
        return run

    return register


def order(name: str) -> tuple[int, int]:
    """Where a claim stands in the book: O, L, R, H, C, A, B, then by number."""
    match = re.fullmatch(r"([A-Z])(\d+)", name)
    return (LETTERS.index(match[1]), int(match[2])) if match and match[1] in LETTERS else (len(LETTERS), 0)


@cache
def every() -> Mapping[str, Entry]:
    """All claims, in the book's order; their files are read once."""
    for room in ROOMS:
        package = importlib.import_module(f"slalom.claims.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"slalom.claims.{room}.{module.name}")
    return MappingProxyType({name: _FOUND[name] for name in sorted(_FOUND, key=order)})


def named(ids: Iterable[str]) -> dict[str, Entry]:
    """The claims of these ids, in the book's order; `o13` is O13."""
    known, wanted = every(), [i.upper() for i in ids]
    for name in wanted:
        if name not in known:
            raise unknown_name("claim", name, known)
    return {name: known[name] for name in known if name in wanted}
