"""Which learning rate each rule gets: one for all, its own, a band, the hand-picked ones, or the best of a stated search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slalom.core.checks import number
from slalom.core.errors import BadValueError, unknown_name
from slalom.race.entrants import Entrant

GRID = tuple(10.0 ** (k / 4) for k in range(-20, 9))  # 1e-5 to 1e2, a quarter decade apart


@dataclass(frozen=True)
class Fairness:
    """How the learning rates were come by. `kind`: "hand-picked", "shared", "given", "band" or "tuned"; `words`: in full."""

    kind: str
    words: str


@dataclass(frozen=True)
class Wanted:
    """The rates to run for each entrant, and whether the best of them alone is kept."""

    fairness: Fairness
    rates: tuple[tuple[float, ...], ...]  # one an entrant
    search: tuple[bool, ...]  # one an entrant
    notes: tuple[str, ...] = ()


def wanted(
    lr: Any, entrants: Sequence[Entrant], lrs: Mapping[str, float], goal: str, steps: int, grid: Sequence[float]
) -> Wanted:
    """Reads `lr=` of `slalom.landscape`; `lrs` are the surface's hand-picked ones. Errors: BadValueError, UnknownNameError."""
    n = len(entrants)
    budget = f"{len(grid)} learning rates, {grid[0]:g} to {grid[-1]:g}, {steps} steps each"
    by = f"fewest steps until {goal}, then the lowest end"
    if isinstance(lr, str):
        if lr != "tuned":
            raise BadValueError(
                f"lr must be a number, several, one a rule, 'tuned' or None, got {lr!r}; 'tuned' searches {len(grid)} a rule"
            )
        return Wanted(Fairness("tuned", f"each rule's best of {budget} ({by})"), (tuple(grid),) * n, (True,) * n)
    if lr is None:
        return _hand_picked(entrants, lrs, budget, tuple(grid))
    if isinstance(lr, Mapping):
        return _given(lr, entrants)
    if isinstance(lr, Sequence):
        band = tuple(_rate(v) for v in lr)
        if not band:
            raise BadValueError("lr is an empty list; give at least one learning rate")
        words = f"a band of {len(band)} learning rates for every rule, {min(band):g} to {max(band):g}"
        return Wanted(Fairness("band", words), (band,) * n, (False,) * n)
    rate = _rate(lr)
    return Wanted(Fairness("shared", f"lr {rate:g} for every rule"), ((rate,),) * n, (False,) * n)


def _hand_picked(entrants: Sequence[Entrant], lrs: Mapping[str, float], budget: str, grid: tuple[float, ...]) -> Wanted:
    known = [lrs.get(e.target) for e in entrants]
    missing = [e.label for e, lr in zip(entrants, known, strict=True) if lr is None]
    rates = tuple(grid if lr is None else (lr,) for lr in known)
    search = tuple(lr is None for lr in known)
    if len(missing) == len(known):
        return Wanted(Fairness("tuned", f"each rule's best of {budget}; none is picked by hand here"), rates, search)
    words = "picked by hand so that each rule shows its character; not tuned, so no ranking"
    notes = (f"no lr is picked by hand for {', '.join(missing)}: the best of {budget}",) if missing else ()
    return Wanted(Fairness("hand-picked", words), rates, search, notes)


def _given(lr: Mapping[Any, Any], entrants: Sequence[Entrant]) -> Wanted:
    labels = [e.label for e in entrants]
    for name in lr:
        if name not in labels:
            raise unknown_name("rule in lr", str(name), labels)
    for label in labels:
        if label not in lr:
            raise BadValueError(f"lr has no learning rate for {label}; name every rule, or give one number for all")
    rates = tuple(tuple(_rate(v) for v in (lr[k] if isinstance(lr[k], Sequence) else [lr[k]])) for k in labels)
    return Wanted(Fairness("given", "given for each rule"), rates, (False,) * len(labels))


def _rate(value: Any) -> float:
    return number(value, "lr", "[0, inf)")
