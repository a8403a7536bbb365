"""From outcome to verdict: a pure function, the same for every claim."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from slalom.claims.criteria import Criterion, State
from slalom.claims.outcome import Interval, Outcome, interval, student
from slalom.core.errors import BadValueError

Kind = Literal["holds", "fails", "depends", "undecided"]
KINDS: tuple[Kind, ...] = ("holds", "depends", "fails", "undecided")
MANY = 1000  # seeds beyond which a verdict is as good as out of reach
POWER = 0.8  # sets of seeds out of all that should find an effect that is there


@dataclass(frozen=True)
class Verdict:
    """`kind`; `states` and `intervals` by the criteria's keys; `why`: what left it undecided, "" otherwise; `seeds`: how many a
    set it would take then (None: not a matter of seeds); `sides`: what the two sets said, and both together.
    """

    kind: Kind
    states: dict[str, State]
    intervals: dict[str, Interval]
    why: str = ""
    seeds: int | None = None
    sides: tuple[Kind, ...] = ()


def plain(criteria: Sequence[Criterion], outcome: Outcome) -> tuple[Kind, dict[str, State]]:
    """Holds where every criterion is held, fails where none is, depends otherwise; without a look at seeds or controls."""
    states = {c.key: c.state(interval(outcome.effects[c.key])) for c in criteria}
    held = [states[c.key] == "held" for c in criteria if c.role == "claim"]
    return "holds" if all(held) else "depends" if any(held) else "fails", states


def decide(criteria: Sequence[Criterion], outcome: Outcome) -> Verdict:
    """The verdict on an outcome.

    Undecided: the two sets of seeds disagree, or both together take back what one of them held; or the claim would hold while a
    control does not, so that the experiment could not have told the difference. Where the two sets agree, the verdict is that of
    all seeds together, which may show what half of them are too few for.

    >>> from slalom.claims.criteria import above
    >>> from slalom.claims.words import T
    >>> rule = [above("gain", T("gain", "增益"))]
    >>> decide(rule, Outcome({"gain": (1.0, 1.2, 0.9, 1.1)})).kind
    'holds'
    >>> decide(rule, Outcome({"gain": (-1.0, -1.2, -0.9, -1.1)})).states
    {'gain': 'reversed'}
    """
    missing = [c.key for c in criteria if c.key not in outcome.effects]
    if missing or not criteria:
        raise BadValueError(f"the outcome lacks {', '.join(missing) or 'any criterion'}; it has {', '.join(outcome.effects)}")
    kind, states = plain(criteria, outcome)
    intervals = {c.key: interval(outcome.effects[c.key]) for c in criteria}
    failed = [c.key for c in criteria if c.role == "control" and states[c.key] != "held"]
    if failed and kind == "holds":
        return Verdict("undecided", states, intervals, f"control not held: {', '.join(failed)}")
    if outcome.seeded:
        halves = [plain(criteria, outcome.half(k)) for k in (0, 1)]
        if halves[0][0] != halves[1][0] or (halves[0][0] != kind and _taken_back(states, halves)):
            flipped = [c for c in criteria if len({states[c.key], *(s[c.key] for _, s in halves)}) > 1]
            sides = (*(half for half, _ in halves), kind)
            needed = [n for c in flipped if (n := seeds_needed(c, intervals[c.key])) is not None]
            why = f"two sets of seeds say {sides[0]} / {sides[1]}, together {kind}"
            return Verdict("undecided", states, intervals, why, max(needed, default=None), sides)
    return Verdict(kind, states, intervals)


def _taken_back(states: dict[str, State], halves: Sequence[tuple[Kind, dict[str, State]]]) -> bool:
    """Whether one set of seeds held a criterion that all together do not: more seeds may show more, not less."""
    return any(s == "held" and states[k] != "held" for _, half in halves for k, s in half.items())


def seeds_needed(criterion: Criterion, i: Interval) -> int | None:
    """Seeds a set at which an effect of this mean and spread would clear its bound in four sets of five; None: beyond 1000.

    The least n > those there are with (t(.975, n-1) + t(.8, n-1)) sd / sqrt(n) <= distance to the nearest bound.
    """
    distance = min(abs(i.mean - bound) for bound in criterion.nearest)
    for n in range(i.n // 2 + 1, MANY + 1):
        if (student(0.975, n - 1) + student(POWER, n - 1)) * i.sd / math.sqrt(n) <= distance:
            return n
    return None
