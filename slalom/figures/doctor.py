"""An examination or a repair as a figure: what its page says, and the curves that it draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

POINTS = 400  # of a curve


@dataclass(frozen=True)
class Line:
    """A curve: places along the run, losses (NaN and infinity left out), its name, and its kind, which is how it is drawn."""

    name: str
    kind: str  # "step", "train", "val", "after-train", "after-val", "branch"
    steps: tuple[float, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class FindingCard:
    """A finding in words; `evidence`: what was measured, its value, the threshold, and whether it was crossed."""

    label: str
    confidence: float
    step: int
    symptom: str
    cause: str
    remedy: str
    evidence: tuple[tuple[str, float, float, bool], ...]


@dataclass(frozen=True)
class DoctorFigure:
    """All that a doctor's page says. `applied`: (label, words, code) of each fix; `tried`: (fix, what came of it)."""

    title: str
    verdict: str
    facts: tuple[tuple[str, str], ...]
    findings: tuple[FindingCard, ...]
    lines: tuple[Line, ...]
    applied: tuple[tuple[str, str, str], ...] = ()
    tried: tuple[tuple[str, str], ...] = ()
    branches: tuple[tuple[str, float, float], ...] = ()
    notes: tuple[str, ...] = ()


def build_doctor(result: Any) -> DoctorFigure:
    """The figure of an `Examination` or a `Repair`."""
    return _repair(result) if hasattr(result, "applied") else _examination(result)


def _examination(e: Any) -> DoctorFigure:
    verdict = "Nothing is wrong that the doctor can see" if e.healthy else "; ".join(_words(label) for label in e.labels)
    train, val = e.skill
    facts = [("steps", f"{e.steps}"), ("experiments", f"{len(e.branches)}")]
    facts += [(name, f"{v:.2f}") for name, v in (("training skill", train), ("validation skill", val)) if math.isfinite(v)]
    facts += [("doctor's time", f"{e.overhead:.1f} of the plain training's")] if math.isfinite(e.overhead) else []
    c = e.curves
    lines = [
        _line("loss of each step", "step", range(len(c.loss)), c.loss),
        _line("training rows", "train", c.steps, c.train),
        _line("validation rows", "val", c.steps, c.val),
    ]
    lines += [_line(b.words, "branch", b.steps, b.losses) for b in e.branches]
    branches = tuple((b.words, float(b.train), float(b.val)) for b in e.branches)
    cards = tuple(map(_card, e.findings))
    return DoctorFigure("examination", verdict, tuple(facts), cards, _drawn(lines), branches=branches, notes=tuple(e.notes))


def _repair(r: Any) -> DoctorFigure:
    found = r.found
    change = f"{_loss(r.before)} to {_loss(r.after)}"
    verdict = f"Repaired: loss {change}" if r.applied else "Left as it was"
    before, after = r.curves["before"], r.curves["after"]
    lines = [_line("before, training rows", "train", before["step"], before["train"]),
             _line("before, validation rows", "val", before["step"], before["val"])]  # fmt: skip
    if r.applied:
        lines += [_line("after, training rows", "after-train", after["step"], after["train"]),
                  _line("after, validation rows", "after-val", after["step"], after["val"])]  # fmt: skip
    facts = (("loss before", _loss(r.before)), ("loss after", _loss(r.after)), ("steps of the repair", f"{r.cost:.2f} runs"))
    applied = tuple((_words(a.label), a.words, a.code) for a in r.applied)
    tried = tuple((t["fix"], _came(t)) for t in r.tried)
    cards = () if found is None else tuple(map(_card, found.findings))
    return DoctorFigure("repair", verdict, facts, cards, _drawn(lines), applied, tried, notes=tuple(r.notes))


def _card(f: Any) -> FindingCard:
    evidence = tuple((g.words, float(g.value), float(g.threshold), bool(g.crossed)) for g in f.evidence)
    return FindingCard(_words(f.label), float(f.confidence), int(f.step), f.symptom, f.cause, f.remedy, evidence)


def _line(name: str, kind: str, steps: Sequence[float], losses: Sequence[float]) -> Line:
    values = np.array([math.nan if v is None else v for v in losses], dtype=np.float64)
    kept = np.flatnonzero(np.isfinite(values))
    if len(kept) > POINTS:
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, POINTS).round().astype(int))]
    places = np.asarray(steps, dtype=np.float64)
    return Line(name, kind, tuple(places[kept].tolist()), tuple(values[kept].tolist()))


def _drawn(lines: Sequence[Line]) -> tuple[Line, ...]:
    return tuple(line for line in lines if len(line.steps) > 1)


def _came(trial: dict[str, Any]) -> str:
    if trial["failed"]:
        return f"failed after {trial['step']} steps: {trial['failed']}"
    return f"{trial['step']} steps" + (f", loss {_loss(trial['loss'])}" if math.isfinite(trial["loss"]) else ", dropped early")


def _words(label: str) -> str:
    return label.replace("_", " ")


def _loss(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "not finite"
