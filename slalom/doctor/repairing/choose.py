"""Which fix: short branches side by side, the worse half of them dropped at each look."""

from __future__ import annotations

import math
from collections.abc import Sequence

from slalom.doctor.repairing.branch import Branch

LEAST_STEPS, FEWEST = 5, 2  # of a rung: what it should have, and must have to say anything
CLOSE = 0.02  # of the best score: as good, and then the fix that comes first is taken


def halved(branches: Sequence[Branch], budget: float) -> list[Branch]:
    """The branches, best first, after successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943).

    `budget`: what all branches together may take, in runs of the set-up. Each rung gets the same part of it, shared by those
    still in; progress is counted as a share of a branch's own run, so that batch sizes can be compared. Branches are given in
    the order of what is thought most likely, which decides between those that are as good; where a run is so
    short that not all can be tried, the last ones are not.
    """
    affordable = budget * min((b.setup.steps for b in branches), default=0)
    count = max(2, int(affordable / (2 * FEWEST)))  # all rungs together train twice as many branches as the first
    alive, dropped = list(branches[:count]), list(branches[count:])
    least = max(FEWEST, min(LEAST_STEPS, int(affordable / (2 * max(1, len(alive))))))
    rungs = max(1, math.ceil(math.log2(max(2, len(alive)))))
    reached = 0.0
    while len(alive) > 1:
        reached += budget / (rungs * len(alive))
        for branch in alive:
            total = branch.setup.steps
            branch.advance(min(total, max(branch.step + least, round(reached * total))))
        ranked = _ranked(alive)
        keep = max(1, len(ranked) // 2)
        alive, dropped = ranked[:keep], ranked[keep:] + dropped
    return alive + dropped


def _ranked(branches: Sequence[Branch]) -> list[Branch]:
    """Best first; those within a hair of the best keep their order and go before the others."""
    scores = {id(b): b.score() for b in branches}
    best = min(scores.values())
    if not math.isfinite(best):
        return list(branches)
    as_good = best + CLOSE * abs(best)

    def key(branch: Branch) -> float:
        return max(as_good, scores[id(branch)])

    return sorted(branches, key=key)
