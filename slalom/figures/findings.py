"""What is wrong with which lanes: findings that the race's data holds, and what the shape of a rule's best curves says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slalom.core.errors import BadDataError
from slalom.doctor.curve import read_curve
from slalom.race.results import LeaderRow

READ = 3  # lanes of a rule's best learning rate that are read


@dataclass(frozen=True)
class FindingLine:
    """One finding and the lanes that show it.

    `rule` indexes `RaceFigure.rules`; `lrs`: the learning rates of the lanes, rising; `lanes` are rows of the curves. `name`: in
    a word or two. `symptom`, `cause`, `remedy`: in words, empty where unknown. `evidence`: a line a figure. `seeds`: how many of
    the rule's lanes at these rates were looked at.
    """

    rule: int
    lrs: tuple[float, ...]
    lanes: tuple[int, ...]
    seeds: int
    name: str
    symptom: str
    cause: str
    remedy: str
    evidence: tuple[str, ...]


def build_findings(
    result: Any, rules: Sequence[str], rows: Sequence[LeaderRow], losses: np.ndarray[Any, Any]
) -> tuple[FindingLine, ...]:
    """The race's own findings (`result.findings`, where it has them), else a reading of each rule's best curves.

    `result.findings`: lane number -> findings of that lane, or a function that returns it; a finding has `symptom`, `cause`,
    `remedy`, `evidence` and `label` as `slalom.doctor` gives them. `losses`: training losses `[lanes, steps]`, unthinned.
    """
    told = getattr(result, "findings", None)
    told = told() if callable(told) else told
    if isinstance(told, Mapping):
        return _grouped(result.lanes, rules, ((int(lane), finding) for lane, own in told.items() for finding in own))
    return tuple(line for row in rows for line in _read(result.lanes, rules, row, losses))


def _grouped(lanes: Sequence[Any], rules: Sequence[str], told: Iterable[tuple[int, Any]]) -> tuple[FindingLine, ...]:
    """Lanes of one rule that show the same are one line, whatever their learning rates."""
    at = {int(lane.lane): k for k, lane in enumerate(lanes)}
    lines: dict[tuple[str, str], tuple[list[int], Any]] = {}
    for number, finding in told:
        if number in at:
            lane = lanes[at[number]]
            lines.setdefault((str(lane.rule), str(finding.label)), ([], finding))[0].append(at[number])
    made = []
    for (rule, label), (own, finding) in lines.items():
        lrs = tuple(sorted({float(lanes[k].lr) for k in own}))
        seeds = sum(str(lane.rule) == rule and float(lane.lr) in lrs for lane in lanes)
        evidence = tuple(map(str, finding.evidence))
        words = (str(finding.symptom), str(finding.cause), str(finding.remedy))
        made.append(FindingLine(rules.index(rule), lrs, tuple(own), seeds, label.replace("_", " "), *words, evidence))
    return tuple(made)


def _read(lanes: Sequence[Any], rules: Sequence[str], row: LeaderRow, losses: np.ndarray[Any, Any]) -> list[FindingLine]:
    own = [k for k, lane in enumerate(lanes) if str(lane.rule) == row.rule and float(lane.lr) == row.lr][:READ]
    found: dict[str, tuple[list[int], Any]] = {}
    for k in own:
        curve = losses[k]
        finite = np.flatnonzero(np.isfinite(curve))
        if lanes[k].status == "finished" and len(finite):
            try:
                reading = read_curve(curve[: finite[-1] + 1])
            except BadDataError:  # too few steps to read
                continue
            if not (reading.open or reading.healthy):  # flat at the end is how a good run ends too
                found.setdefault(reading.shape, ([], reading))[0].append(k)
    made = []
    for shape, (shown, reading) in found.items():
        cause = reading.cause.replace("_", " ")
        evidence = tuple(
            f"{f.words}: {f.value:.3g} (threshold {f.threshold:.3g})" for f in reading.evidence if math.isfinite(f.value)
        )
        made.append(FindingLine(
            rules.index(row.rule), (row.lr,), tuple(shown), len(own), shape, f"the training loss: {shape}", cause,
            reading.remedy, evidence,
        ))  # fmt: skip
    return made
