"""Learning-rate grids: a quarter decade apart around a rule's documented default, widened when the best sits at an edge."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from slalom.core.errors import BadValueError
from slalom.race.entrants import Entrant

STEPS_PER_DECADE = 4
HALF_WIDTH = 4  # steps on either side of the default: nine rates over two decades
WIDEN_BY = 4  # steps added at an edge: one decade
MAX_WIDENINGS = 4

Lrs = Sequence[float] | Mapping[str, Sequence[float]]


def around(center: float, half_width: int = HALF_WIDTH) -> list[float]:
    """`2 half_width + 1` rates, a quarter decade apart.

    >>> [round(lr, 5) for lr in around(1e-3, 2)]
    [0.00032, 0.00056, 0.001, 0.00178, 0.00316]
    """
    return [center * 10 ** (k / STEPS_PER_DECADE) for k in range(-half_width, half_width + 1)]


def beyond(lrs: Sequence[float], best: float) -> list[float]:
    """Rates to add where `best` is the smallest or largest of `lrs`; none where it is inside."""
    ordered = sorted(lrs)
    steps: range | tuple[()] = ()
    if best == ordered[-1]:
        steps = range(1, WIDEN_BY + 1)
    elif best == ordered[0]:
        steps = range(-WIDEN_BY, 0)
    added = [best * 10 ** (k / STEPS_PER_DECADE) for k in steps]
    return [lr for lr in added if lr not in ordered and math.isfinite(lr)]  # nothing lies a decade from 0


def grids(
    rules: Mapping[str, Entrant], lrs: Lrs | None, groups: Mapping[str, str] | None = None, coarse: bool = False
) -> dict[str, list[float]]:
    """Each rule's rates by label, ascending: its own default grid, one list for all, or a list for each label.

    `groups`: of variants' labels, the rule's, by which `lrs` may name them all. `coarse`: default grids of half decades.
    """
    groups = groups or {}
    if isinstance(lrs, Mapping):
        labels = list(dict.fromkeys([*groups.values(), *rules]))
        for name in lrs:
            if name not in labels:
                raise BadValueError(f"lrs names {name!r}, which is not among the rules: {', '.join(labels)}")
    made = {}
    for label, e in rules.items():
        own = lrs.get(label, lrs.get(groups.get(label, label))) if isinstance(lrs, Mapping) else lrs
        if isinstance(own, str) or (own is not None and not isinstance(own, int | float | Iterable)):
            raise BadValueError(f"lrs for {label} must be a number or a list of numbers, got {own!r}")
        rates = (
            around(e.default_lr)[:: 2 if coarse else 1] if own is None else [own] if isinstance(own, int | float) else list(own)
        )
        rates = [lr.item() if hasattr(lr, "item") else lr for lr in rates]  # NumPy's and torch's numbers
        if not rates:
            raise BadValueError(f"lrs for {label} is empty; give at least one rate or leave lrs out")
        for lr in rates:
            if isinstance(lr, bool) or not isinstance(lr, int | float) or not math.isfinite(lr) or lr < 0:
                raise BadValueError(f"lrs for {label} must be finite numbers >= 0, got {lr!r}")
        made[label] = sorted({float(lr) for lr in rates})
        for lr in made[label]:
            e.optimizer(lr)  # a rate that the rule does not allow is told before anything runs
    return made
