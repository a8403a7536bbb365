"""A claim: what is said, by whom, and what will decide it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from slalom.claims.criteria import Criterion
from slalom.claims.decide import Kind
from slalom.claims.outcome import Outcome
from slalom.claims.words import NOTHING, T
from slalom.core.errors import BadValueError

SEEDS, QUICK_SEEDS = 5, 2  # in each of the two sets


@dataclass(frozen=True)
class Plan:
    """What an experiment is run with: `n` seeds in each of two sets, counted from `first`; and whether it is the quick form."""

    n: int = SEEDS
    quick: bool = False
    first: int = 0

    @property
    def seeds(self) -> tuple[int, ...]:
        """All of them: the first set's, then the second's."""
        return tuple(range(self.first, self.first + 2 * self.n))


@dataclass(frozen=True)
class Claim:
    """One row of the book.

    - `id`: O13; `sentence`: as it is commonly told; `literature`: what papers found; `erratum`: what the popular text gets wrong
      and the right statement; `setup`: the experiment in a sentence or two.
    - `criteria`: the decision rule, fixed before the run; all held: holds, none: fails, some: depends, on `switch`.
    - `prototype`: the verdict of the prototype that the claims were collected with; `note`: why this one differs, and what else a
      reader should know.
    - `seeds`: in each of two sets; 1 where nothing is random.
    """

    id: str
    sentence: T
    literature: T
    setup: T
    criteria: tuple[Criterion, ...]
    erratum: T = NOTHING
    switch: T = NOTHING
    prototype: Kind | None = None
    note: T = NOTHING
    seeds: int = SEEDS
    kind: Literal["measured", "exact"] = "measured"

    def __post_init__(self) -> None:
        keys = [c.key for c in self.criteria]
        if not any(c.role == "claim" for c in self.criteria) or len(set(keys)) != len(keys):
            raise BadValueError(
                f"claim {self.id}: criteria must be one or more with different keys, got {', '.join(keys) or 'none'}"
            )
        for name in ("sentence", "literature", "setup", "erratum", "switch", "note"):
            text: T = getattr(self, name)
            if bool(text.en) != bool(text.zh):
                raise BadValueError(f"claim {self.id}: {name} must be told in both languages or in none")

    def plan(self, quick: bool = False, n: int | None = None, first: int = 0) -> Plan:
        """The seeds that it runs with."""
        own = min(self.seeds, QUICK_SEEDS) if quick else self.seeds
        return Plan(own if n is None else n, quick, first)


Experiment = Callable[[Plan], Outcome]
