"""From a case to its findings: what is certain first, then what the run shows, then what experiments decide."""

from __future__ import annotations

import math
from collections.abc import Callable

from slalom.doctor.case import Case
from slalom.doctor.experiments import Suspect, tested
from slalom.doctor.experiments.suspects import ENOUGH, Tested
from slalom.doctor.finding import Finding, finding
from slalom.doctor.findings import (
    capacity,
    generalisation,
    imbalance,
    late,
    mismatch,
    not_training,
    rate,
    regularised,
    scale,
    shift,
    start,
)  # fmt: skip
from slalom.doctor.run import ForwardError

SHORT = 0.88  # skill from which no change can win what a finding needs
BESIDE = 0.8  # of the best rank: causes that win nearly as much are named beside it
MOST = 3  # findings that experiments may name
Rule = Callable[[Case], list[Suspect]]
STRUCTURE: tuple[Rule, ...] = (
    scale.inputs, scale.targets, start.suspects, capacity.bent, capacity.tiny, regularised.look, rate.decayed, rate.momentum,
    rate.small_batch, rate.large_batch,
)  # fmt: skip
# A wider model draws new weights, and so mends these too.
FRESH = ("dead_relu", "bad_init", "vanishing_gradient", "exploding_gradient")


def diagnose(case: Case) -> list[Finding]:
    """Findings, most likely first. Raises `ForwardError` where the caller's model, loss or optimizer raises."""
    certain = _before(case)
    if not_training.nothing_trains(case):  # an optimizer of other parameters must not be stepped
        return certain
    run = case.run
    if not run.losses:
        return certain
    certain += not_training.after(case)
    if any(f.label in ("loss_output_mismatch", "params_not_training") for f in certain):
        return certain
    moved = shift.look(case)
    rare = imbalance.look(case)
    cleaner = [] if moved or rare or not generalisation.cleaner(case) else generalisation.told_apart(case)
    found = [*rare, *certain, *moved, *cleaner]
    if not rare and not cleaner:
        found += _experiments(case, certain)
    apart = cleaner
    if not found and not generalisation.cleaner(case) and generalisation.wrong_labels(case):
        apart = generalisation.told_apart(case)
        found += apart
    if not apart and not moved:
        found += rate.overshot(case) if (learnt := generalisation.overfitted(case)) else []
        found += learnt
    if not found:
        found += late.look(case) or rate.idle(case)
    return _ranked(found)


def _before(case: Case) -> list[Finding]:
    """What needs no step."""
    try:
        _ = case.outputs
    except Exception as error:
        raise ForwardError("model", 0, error) from error
    try:
        _ = case.loss
    except Exception as error:
        raise ForwardError("loss_fn", 0, error) from error
    try:
        _ = case.optimizer
    except Exception as error:
        raise ForwardError("optimizer", 0, error) from error
    return [*not_training.look(case), *mismatch.look(case), *start.alike(case)]


def _short(case: Case) -> bool:
    """Whether the run lacks enough for a change to win it, that is asked without evidence that no healthy run shows."""
    train, val = case.reached
    return train < SHORT or (case.run.broke is not None) or (not math.isnan(val) and val < SHORT - 0.2 and train < 0.95)


def _experiments(case: Case, certain: list[Finding]) -> list[Finding]:
    known = {f.label for f in certain}
    short = _short(case)
    found = _asked(case, [], STRUCTURE, known, short)
    if not short:
        return _told(found)
    for rule in (rate.higher, rate.lower) if rate.crawls(case) else (rate.lower, rate.higher):
        found = _asked(case, found, (rule,), known)
    if not any(t.suspect.label in FRESH for t in found):
        found = _asked(case, found, (start.died, capacity.small), known)
    found.sort(key=lambda t: -t.rank)
    return _told(found)


def _asked(case: Case, found: list[Tested], rules: tuple[Rule, ...], known: set[str], all_: bool = True) -> list[Tested]:
    """What was found already, and what these rules' suspects win; none is asked once a cause explains all that is lacking.
    `all_`: those without strong evidence too."""
    if any(t.decides or t.gain.trial.train >= ENOUGH for t in found):
        return found
    return found + tested(case, [s for rule in rules for s in rule(case) if s.label not in known and (all_ or s.strong)])


def _told(found: list[Tested]) -> list[Finding]:
    if not found:
        return []
    best = found[0].rank
    said: dict[str, Finding] = {}
    for t in found:
        if t.rank >= BESIDE * best and t.suspect.label not in said and len(said) < MOST:
            said[t.suspect.label] = _finding(t, t.rank / best)
    return list(said.values())


def _finding(t: Tested, share: float) -> Finding:
    s: Suspect = t.suspect
    confidence = min(0.95, 0.5 + 0.4 * min(1.0, t.gain.total) + 0.05 * (s.weight - 1)) * share
    step = s.step if s.step is not None else t.gain.step
    return finding(s.label, (*s.evidence, *t.gain.figures()), max(0.05, confidence), step, branch=t.gain.trial.name, **s.about)


def _ranked(found: list[Finding]) -> list[Finding]:
    """Each label once, most likely first."""
    best: dict[str, Finding] = {}
    for f in sorted(found, key=lambda f: -f.confidence):
        best.setdefault(f.label, f)
    return list(best.values())
