"""How much of what a fault lost a repair wins back, at what cost, beside a random search over the same fixes.

Cases: each mutation of the bench on one task of the reporting half a seed, by turns, and healthy kinds. Half of each case's
validation rows are given to `examine` and `repair`; the other half, which they never see, is what models are scored on here
(accuracy over the classes alike, or R2). Won back: (repaired - faulty) / (healthy twin - faulty). A case is repairable if
something in its set-up can mend it, and its twin is better on those rows by 0.04 at least.

Cost: training steps of the repair after the examination, in runs of the set-up, and processor time over that of training the
healthy twin plainly. Control: random search (Bergstra & Bengio 2012) over all fixes of all labels that apply to the case, chosen
blindly, with the same number of tries, the same budget, short branches and full runs: what it lacks is the diagnosis alone.
Healthy cases: whether another model than the original's is handed back, and whether it scores worse.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import slalom
from benchmarks.doctor.study import wilson
from slalom.doctor.fixes import Fix, candidates
from slalom.doctor.labels import LABELS
from slalom.doctor.repairing.candidates import Candidate, attempt
from slalom.doctor.repairing.contest import Contest
from slalom.doctor.repairing.mend import BUDGET, TRIES
from slalom.doctor.repairing.original import Original
from slalom.doctor.repairing.yardstick import Yardstick
from slalom.doctor.setup import Setup, setup_of
from slalom.race.environment import environment
from slalom.race.range.untouched import random_states_kept
from slalom.testing.faults import HEALTHY, MUTATIONS, REPORTED, Case, Mutation
from slalom.testing.faults.bench import _score, outcome
from slalom.testing.faults.spec import Spec

LOST, ENOUGH = 0.04, 0.8  # of the score; of what was lost
UNREPAIRABLE = ("train_val_mismatch", "corrupted_labels")  # what mends them is not in the set-up
RESULTS = Path(__file__).resolve().parents[1] / "results"


@dataclass(frozen=True)
class Row:
    """One case: scores of the twin, the faulty run, its repair and the control; costs; what was named and what was done."""

    name: str
    label: str | None
    good: float
    bad: float
    repaired: float
    random: float
    cost: float
    random_cost: float
    seconds: float
    first: str
    done: str

    def won(self, score: float) -> float:
        return (score - self.bad) / (self.good - self.bad)


def halves(spec: Spec) -> tuple[Spec, Spec]:
    """The same set-up with the first half of the validation rows, and with the other, by turns."""
    return spec.but(xv=spec.xv[::2], yv=spec.yv[::2]), spec.but(xv=spec.xv[1::2], yv=spec.yv[1::2])


def score(spec: Spec, model: torch.nn.Module) -> float:
    with torch.no_grad():
        return float(_score(spec, model.eval()(spec.xv), spec.yv))


def trained(spec: Spec) -> float:
    try:
        return outcome(spec)[1]
    except (RuntimeError, ValueError, IndexError):  # it cannot be trained at all
        return -1.0


def every_fix() -> list[tuple[str, Fix]]:
    """All fixes of all labels, each once, with the first label that has it."""
    found: dict[str, tuple[str, Fix]] = {}
    for label in LABELS:
        for fix in candidates(label):
            found.setdefault(fix.name, (label, fix))
    return list(found.values())


def control(setup: Setup, examination: Any, seed: int) -> tuple[torch.nn.Module, float]:
    """Random search: as many fixes as a repair tries, drawn blindly; then the same contest."""
    drawn = every_fix()
    random.Random(seed).shuffle(drawn)
    yardstick = Yardstick(setup)
    original = Original(setup, examination, None, yardstick)
    competing: list[Candidate] = []
    for label, fix in drawn:
        change = attempt(fix, setup)
        if change is not None and len(competing) < TRIES:
            competing.append(Candidate(label, fix, change))
    contest = Contest(setup, competing, yardstick)
    best = contest.won(BUDGET, original.loss, original.start)
    after = math.inf if best is None else best.finish()
    better = best is not None and math.isfinite(after) and not after >= 0.99 * original.loss
    return (best.model if best is not None and better else original.model), contest.cost


def row(case: Case, number: int) -> Row:
    seen, held = halves(case.spec)
    _, twin = halves(case.base)
    began = time.process_time()
    good = trained(twin)
    plain = max(time.process_time() - began, 1e-6)
    bad = trained(held)
    arguments = seen.arguments()
    examination = slalom.examine(**arguments)
    began = time.process_time()
    repair = slalom.repair(**arguments, examination=examination)
    seconds = (time.process_time() - began) / plain
    if case.label is None:
        other, cost = math.nan, math.nan
    else:
        a = seen.arguments()
        model, loss, optimizer = a.pop("model"), a.pop("loss_fn"), a.pop("optimizer")
        with random_states_kept():
            made, cost = control(setup_of(model, loss, optimizer, **a), examination, number)
        other = score(held, made)
    return Row(
        case.name, case.label, good, bad, score(held, repair.model), other, repair.cost, cost, seconds,
        examination.labels[0] if examination.labels else "", "; ".join(a.words for a in repair.applied),
    )  # fmt: skip


def drawn(seeds: Sequence[int]) -> Iterator[Case]:
    """Each mutation on one task a seed, by turns, and healthy kinds, in an order that may be cut off anywhere."""
    names = list(REPORTED)
    for seed in seeds:
        kinds: list[Mutation | str] = [*(m for m in MUTATIONS if m.label not in UNREPAIRABLE), *HEALTHY]
        random.Random(seed).shuffle(kinds)
        for k, kind in enumerate(kinds):
            for j in range(len(names)):
                name = names[(k + seed * 3 + j) % len(names)]
                made = _case(kind, name, seed)
                if made is not None:
                    yield made
                    break


def _case(kind: Mutation | str, name: str, seed: int) -> Case | None:
    base = REPORTED[name](seed)
    if isinstance(kind, str):
        well = HEALTHY[kind](base)
        return None if well is None else Case(f"{name}, {kind}, seed {seed}", None, kind, well, well)
    twin = kind.twin(base)
    broken = None if twin is None else kind.fault(twin)
    if twin is None or broken is None:
        return None
    return Case(f"{name}, {kind.name}, seed {seed}", kind.label, kind.name, twin, broken)


def repairable(rows: Sequence[Row]) -> list[Row]:
    return [r for r in rows if r.label and r.good - r.bad >= LOST]


def table(rows: Sequence[Row]) -> Iterator[str]:
    some = repairable(rows)
    yield "| label | cases | won back >= 80 %, % | median won back | random search, % | median cost, runs |"
    yield "|---|---|---|---|---|---|"
    for name in LABELS:
        own = [r for r in some if r.label == name]
        if own:
            yield _line(name, own)
    if some:
        yield _line("**all**", some)
        yield ""
        mine, other = [r.won(r.repaired) >= ENOUGH for r in some], [r.won(r.random) >= ENOUGH for r in some]
        alone = sum(a and not b for a, b in zip(mine, other, strict=True))
        lost = sum(b and not a for a, b in zip(mine, other, strict=True))
        yield f"Won back in {sum(mine)} of {len(some)}, by random search in {sum(other)}; by the repair alone in {alone}, by"
        yield f"random search alone in {lost}."
        seconds = statistics.median(r.seconds for r in some)
        yield f"Processor time of a repair, in trainings of the healthy twin: median {seconds:.2f}."
    healthy = [r for r in rows if r.label is None]
    if healthy:
        changed = [r for r in healthy if r.done]
        worse = sum(r.repaired < r.bad - 1e-9 for r in changed)
        yield f"Healthy runs: {len(healthy)}; another model than the original's handed back in {len(changed)}, worse in {worse}."


def _line(name: str, rows: Sequence[Row]) -> str:
    won, other = [r.won(r.repaired) for r in rows], [r.won(r.random) for r in rows]
    return (
        f"| {name} | {len(rows)} | {wilson(sum(w >= ENOUGH for w in won), len(won))} | {statistics.median(won):.2f} | "
        f"{wilson(sum(w >= ENOUGH for w in other), len(other))} | {statistics.median(r.cost for r in rows):.2f} |"
    )


def main(seeds: Sequence[int] = (0, 1, 2, 3, 4), minutes: float = 30.0) -> None:
    """Runs the study and writes its table; after so many minutes, of the cases that were done by then, and says so."""
    rows: list[Row] = []
    began, cut = time.monotonic(), False
    for number, case in enumerate(drawn(seeds)):
        if time.monotonic() - began > 60 * minutes:
            cut = True
            break
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows.append(row(case, number))
        r = rows[-1]
        print(
            f"{r.name} | {r.label or 'healthy'}, said {r.first or 'healthy'} | twin {r.good:.2f}, faulty {r.bad:.2f}, repaired "
            f"{r.repaired:.2f}, random {r.random:.2f} | cost {r.cost:.2f}, time {r.seconds:.2f} | {r.done[:70]}",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    facts = environment()
    told = f"{facts['date']}, {facts['processor']}, {facts['cores']} cores, torch {facts['torch']}, slalom {facts['slalom']}"
    done = f"cut off after {minutes:g} minutes, at {len(rows)} cases" if cut else f"{len(rows)} cases"
    text = "\n".join([__doc__ or "", told, f"Seeds {', '.join(map(str, seeds))}; {done}.", "", *table(rows), ""])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "doctor-repair-cpu.txt").write_text(text)
    print(text)


if __name__ == "__main__":
    main(minutes=float(sys.argv[1]) if len(sys.argv) > 1 else 30.0)
