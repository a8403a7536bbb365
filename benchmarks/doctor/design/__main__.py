"""Examines the design set: `python -m benchmarks.doctor.design fit --seeds 0 1 --bases 2 --label overfitting healthy`."""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from torch.nn import functional as F

from benchmarks.doctor.design.bases import CHECK, FIT, Make
from benchmarks.doctor.design.mutations import ALL
from benchmarks.doctor.study import HARDER, examined, near
from slalom.testing.faults import HEALTHY, Case
from slalom.testing.faults.bench import outcome, shows
from slalom.testing.faults.spec import Spec

STRANGE = (RuntimeError, ValueError, IndexError, TypeError)  # a mutation that a loss or a shape does not take
KEPT = Path(".cache") / "doctor"  # what is kept between runs
KINDS = 3  # tasks of each kind of health


class Verdicts:
    """Whether a fault shows against its twin, remembered in a file: it does not depend on the doctor."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, bool] = json.loads(path.read_text()) if path.exists() else {}

    def shows(self, case: Case) -> bool:
        if case.name not in self.known:
            try:
                told = shows(outcome(case.base), outcome(case.spec))
            except STRANGE:
                told = False
            self.known[case.name] = bool(told)
            self.path.write_text(json.dumps(self.known))
        return self.known[case.name]


def cases(half: dict[str, Make], seeds: Sequence[int], bases: int, labels: Sequence[str], verdicts: Verdicts) -> Iterator[Case]:
    names = list(half)
    for seed in seeds:
        for k, (kind, change) in enumerate(HEALTHY.items()):
            found = 0
            for j in range(len(names) if not labels or "healthy" in labels else 0):
                name = names[(k * 5 + seed * 3 + j) % len(names)]
                plain = half[name](seed)
                try:
                    made = change(plain)
                except STRANGE:
                    continue
                if made is None or found >= KINDS or _odd(plain, kind):
                    continue
                case = Case(f"{name}, {kind}, seed {seed}", None, kind, plain, made)
                if kind in HARDER or not verdicts.shows(case):
                    found += 1
                    yield case
        for k, m in enumerate(ALL):
            found = 0
            for j in range(len(names) if not labels or m.label in labels else 0):
                name = names[(k * 5 + seed * 3 + j) % len(names)]
                try:
                    twin = m.twin(half[name](seed))
                    spec = None if twin is None else m.fault(twin)
                except STRANGE:
                    continue
                if twin is None or spec is None or found >= bases or _odd(twin, m.name):
                    continue
                case = Case(f"{name}, {m.name}, seed {seed}", m.label, m.name, twin, spec)
                if m.label in ("nonfinite_data", "loss_output_mismatch") or verdicts.shows(case):
                    found += 1
                    yield case


def _odd(spec: Spec, kind: str) -> bool:
    """Changes of whole-number classes, which scores of one column do not have."""
    words = ("noise", "random", " to 1", "log-softmax", "cross-entropy", "nll", "shapes")
    return spec.loss is F.binary_cross_entropy_with_logits and any(word in kind for word in words)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.doctor.design", description=__doc__)
    parser.add_argument("part", choices=("fit", "check"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--bases", type=int, default=1)
    parser.add_argument("--label", nargs="+", default=[], help="these alone ('healthy' for healthy runs)")
    parser.add_argument("--match", default="", help="cases whose name holds this")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--out", type=Path, default=KEPT / "design.jsonl")
    parser.add_argument("--verdicts", type=Path, default=KEPT / "verdicts.json")
    given = parser.parse_args()
    counts = {"faults": 0, "noticed": 0, "lenient": 0, "strict": 0, "healthy": 0, "alarms": 0}
    half = FIT if given.part == "fit" else CHECK
    for file in (given.out, given.verdicts):
        file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), given.out.open("w") as file:
        warnings.simplefilter("ignore")
        for case in cases(half, given.seeds, given.bases, given.label, Verdicts(given.verdicts)):
            if given.match not in case.name:
                continue
            began = time.process_time()
            try:
                e, seen = examined(**case.spec.arguments())
                said = tuple(e.labels)
            except Exception as error:  # what a user would see as a traceback
                said, e = (f"error {error}",), None
            seconds = time.process_time() - began
            if case.label is None:
                counts["healthy"] += 1
                counts["alarms"] += bool(said)
            else:
                counts["faults"] += 1
                counts["noticed"] += bool(said)
                counts["lenient"] += bool(said) and near(said[0], case.label)
                counts["strict"] += said[:1] == (case.label,)
            right = said[:1] == (case.label,) if case.label else not said
            print("    " if right else "  x ", case.label or "healthy", "|", case.name, "->", ", ".join(said) or "healthy",
                  f"({seconds:.1f} s)", flush=True)  # fmt: skip
            if e is not None and (given.verbose or not right):
                own = ", ".join(f"{v:.3f}" for v in e.skill)
                print(f"        skill {own}; spent {seen.spent:.1f}; rows {seen.setup.rows}", flush=True)
                for t in seen.trials.values():
                    print(f"        {t.name}: {t.train:.3f}, {t.val:.3f}{' cut' if t.run.cut else ''}", flush=True)
            file.write(json.dumps({"name": case.name, "label": case.label, "said": said, "seconds": seconds}) + "\n")
    print(counts)


if __name__ == "__main__":
    main()
