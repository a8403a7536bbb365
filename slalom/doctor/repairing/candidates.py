"""Which changes compete: the fixes of what was found, the likeliest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slalom.doctor import fixes
from slalom.doctor.finding import Finding
from slalom.doctor.fixes import Change, Fix
from slalom.doctor.setup import Setup

PER_RANK = (8, 2, 1)  # fixes of the first finding, the second, the third


@dataclass(frozen=True)
class Candidate:
    """A change that could be made, with the label that it answers and the fix that makes it."""

    label: str
    fix: Fix
    change: Change


def candidates(setup: Setup, findings: Sequence[Finding], most: int) -> list[Candidate]:
    """Up to `most` changes that apply to the set-up, each fix once."""
    found: list[Candidate] = []
    for rank, finding in enumerate(findings[: len(PER_RANK)]):
        taken = 0
        for fix in fixes.candidates(finding.label):
            if taken == PER_RANK[rank] or any(c.fix.name == fix.name for c in found):
                continue
            change = attempt(fix, setup)
            if change is not None:
                found.append(Candidate(finding.label, fix, change))
                taken += 1
    return found[:most]


def attempt(fix: Fix, setup: Setup) -> Change | None:
    """What a fix makes of a set-up; None also where the model does not take it."""
    try:
        return fix.apply(setup)
    except Exception:  # whatever a person's own forward raises when it is looked at: then this fix is none for it
        return None
