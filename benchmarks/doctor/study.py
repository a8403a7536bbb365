"""How often the doctor notices a fault and names its cause, and how often it cries wolf, on tasks that no threshold was tuned on.

The bench (slalom.testing.faults) has healthy set-ups of ten tasks on this half and nine on the other, ways to break them for all
24 labels, and kinds of health that look like faults. A faulty case counts if its score falls clearly below its healthy twin's in
a plain training (`shows`). Each mutation is made on `BASES` tasks a seed, taken in turn.

Noticed: any finding. Lenient: the first label is right or an accepted neighbour (slalom.doctor.LABELS[...].near, or the right
one is a neighbour of it). Strict: it is right. Intervals are Wilson's at 95 %. Cost: time of an examination over that of its own
watched training, median. First alarm: `first_step` over the steps of the run, median.
"""

from __future__ import annotations

import math
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import slalom
from benchmarks.doctor.published import RULES, Trace
from slalom.doctor import LABELS
from slalom.race.environment import environment
from slalom.testing.faults import HEALTHY, MUTATIONS, REPORTED, TUNED, Case
from slalom.testing.faults.bench import outcome, shows
from slalom.testing.faults.spec import Spec

SEEDS, BASES, KINDS = (0, 1, 2, 3, 4), 2, 2
HARDER = ("label noise", "outliers with Huber")  # kinds of health that need not do as well as the set-up they are made of
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
DOCS = Path(__file__).resolve().parents[2] / "docs" / "doctor.md"
RESULTS = Path(__file__).resolve().parents[1] / "results"
Make = Callable[[int], Spec]


@dataclass(frozen=True)
class Row:
    """One case: what was said first, by the doctor and by the published rules."""

    name: str
    label: str | None
    said: tuple[str, ...]
    share: float
    cost: float
    seconds: float
    others: dict[str, tuple[str, ...]]


def cases(half: dict[str, Make], seeds: Sequence[int], bases: int) -> Iterator[Case]:
    """Faults that show, on the first tasks in turn that they apply to, then healthy kinds."""
    names = list(half)
    for seed in seeds:
        for k, m in enumerate(MUTATIONS):
            found = 0
            for j in range(len(names)):
                name = names[(k + seed * 3 + j) % len(names)]
                twin = m.twin(half[name](seed))
                made = None if twin is None else m.fault(twin)
                if twin is None or made is None or found >= bases:
                    continue
                if m.label == "nonfinite_data" or shows(outcome(twin), outcome(made)):
                    found += 1
                    yield Case(f"{name}, {m.name}, seed {seed}", m.label, m.name, twin, made)
        for k, (kind, change) in enumerate(HEALTHY.items()):
            found = 0
            for j in range(len(names)):
                name = names[(k + seed * 3 + j) % len(names)]
                made = change(half[name](seed))
                if (
                    made is not None
                    and found < KINDS * bases
                    and (kind in HARDER or not shows(outcome(half[name](seed)), outcome(made)))
                ):
                    found += 1
                    yield Case(f"{name}, {kind}, seed {seed}", None, kind, made, made)


def row(case: Case) -> Row:
    arguments = case.spec.arguments()
    began = time.process_time()
    e = slalom.examine(**arguments)
    seconds = time.process_time() - began
    step = 0.0 if e.first_step is None else e.first_step / max(e.steps, 1)
    trace = Trace.of(case.spec.arguments())
    others = {name: ("error",) if trace is None else tuple(rule(trace)) for name, rule in RULES.items()}
    return Row(case.name, case.label, tuple(e.labels), step, e.overhead, seconds, others)


def near(said: str, label: str) -> bool:
    """The same, or one is an accepted neighbour of the other."""
    if said == label:
        return True
    return said in LABELS and (said in LABELS[label].near or label in LABELS[said].near)


def wilson(k: int, n: int) -> str:
    """A share in per cent with its 95 % interval."""
    if not n:
        return "-"
    z, p = 1.96, k / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return f"{100 * p:5.1f} ({100 * low:.0f}-{100 * high:.0f})"


def counted(rows: Sequence[Row], said: Callable[[Row], Sequence[str]]) -> list[str]:
    """Noticed, lenient, strict, of rows with a label."""
    n = len(rows)
    first = [(r.label, said(r)) for r in rows if r.label is not None]
    return [
        wilson(sum(bool(s) for _, s in first), n),
        wilson(sum(bool(s) and near(s[0], a) for a, s in first), n),
        wilson(sum(bool(s) and s[0] == a for a, s in first), n),
    ]


def table(rows: Sequence[Row]) -> list[str]:
    faulty, healthy = [r for r in rows if r.label], [r for r in rows if not r.label]
    lines = [
        "| label | cases | noticed, % | lenient, % | strict, % | first alarm, share of the run |",
        "|---|---|---|---|---|---|",
    ]
    for name in LABELS:
        some = [r for r in faulty if r.label == name]
        early = f"{statistics.median(r.share for r in some):.2f}" if some else "-"
        lines.append(f"| {name} | {len(some)} | {' | '.join(counted(some, lambda r: r.said))} | {early} |")
    lines.append(f"| **all** | {len(faulty)} | {' | '.join(counted(faulty, lambda r: r.said))} | "
                 f"{statistics.median(r.share for r in faulty):.2f} |")  # fmt: skip
    cost = [statistics.median(r.cost for r in some) for some in (faulty, healthy)]
    lines += [
        "",
        f"False alarms on {len(healthy)} healthy runs: {wilson(sum(bool(r.said) for r in healthy), len(healthy))} %.",
        f"Time of an examination over its own training's, median: {cost[0]:.1f} on faulty runs, {cost[1]:.1f} on healthy ones.",
        "",
        "| rules | noticed, % | lenient, % | strict, % | false alarms, % |",
        "|---|---|---|---|---|",
    ]
    for who in ("Slalom", *RULES):

        def said(r: Row, who: str = who) -> Sequence[str]:
            return r.said if who == "Slalom" else r.others[who]

        lines.append(
            f"| {who} | {' | '.join(counted(faulty, said))} | {wilson(sum(bool(said(r)) for r in healthy), len(healthy))} |"
        )
    return lines


def main(half: str = "reported", seeds: Sequence[int] = SEEDS, bases: int = BASES) -> None:
    rows: list[Row] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in cases(REPORTED if half == "reported" else TUNED, seeds, bases):
            made = row(case)
            rows.append(made)
            right = (made.said[:1] == (made.label,)) if made.label else not made.said
            print("    " if right else "  x ", made.label or "healthy", "|", made.name, "->", ", ".join(made.said) or "healthy",
                  f"({made.seconds:.1f} s)", flush=True)  # fmt: skip
            _write(half, seeds, bases, rows)
    print("\n".join(table(rows)))
    if half == "reported":
        _documented(seeds, rows)


def _documented(seeds: Sequence[int], rows: Sequence[Row]) -> None:
    """The tables in docs/doctor.md."""
    text = DOCS.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    facts = environment()
    several = ", ".join(map(str, seeds))
    said = f"{len(rows)} runs, seeds {several}; {facts['date'][:10]}, {facts['processor']}. Shares with Wilson's 95 % intervals."
    DOCS.write_text("\n".join([before + BEGIN, said, "", *table(rows), END + after]))


def _write(half: str, seeds: Sequence[int], bases: int, rows: Sequence[Row]) -> None:
    facts = environment()
    name = "doctor-cpu.txt" if half == "reported" else "doctor-tuned-cpu.txt"
    several = ", ".join(map(str, seeds))
    head = [
        f"The doctor on the {half} half of the fault bench; seeds {several}; {bases} tasks a mutation and seed.",
        f"{facts['date']}, {facts['processor']}, {facts['cores']} cores, torch {facts['torch']}, slalom {facts['slalom']}",
        "",
    ]
    wrong = [
        f"{r.label or 'healthy'} | {r.name} -> {', '.join(r.said) or 'healthy'}"
        for r in rows
        if (r.said[:1] != (r.label,) if r.label else r.said)
    ]
    if any(r.label for r in rows) and any(not r.label for r in rows):
        (RESULTS / name).write_text("\n".join([*head, *table(rows), "", "Not strictly right:", *wrong, ""]))
