"""Learning rate against another hyper, such as the weight decay: for a rule that raced with several values of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slalom.core.rule import REGISTRY


@dataclass(frozen=True)
class HeatCell:
    """The lanes of one learning rate and one value: validation metric over the seeds that finished, NaN where none did.

    `rule` indexes `RaceFigure.rules`.
    """

    lr: float
    value: float
    rule: int
    mean: float
    sd: float
    finished: int
    retired: int


@dataclass(frozen=True)
class HeatMap:
    """`name`: the rule without the hyper. `lrs`, `values`: ascending; cells in any order, one for each pair that raced."""

    name: str
    hyper: str
    lrs: tuple[float, ...]
    values: tuple[float, ...]
    cells: tuple[HeatCell, ...]


def build_heat_maps(rules: Sequence[str], lanes: Sequence[Any]) -> tuple[HeatMap, ...]:
    """A map for each rule and each of its hypers that takes two values or more, all others being equal."""
    variants: dict[str, tuple[str, dict[str, Any]]] = {}
    for lane in lanes:
        variants.setdefault(str(lane.rule), (str(lane.rule).split("(")[0], dict(lane.hypers)))
    groups: dict[tuple[str, str, str], dict[str, float]] = {}
    for label, (base, hypers) in variants.items():
        for name in {key for other, given in variants.values() if other == base for key in given}:
            value = hypers.get(name, default(base, name))
            if isinstance(value, int | float) and not isinstance(value, bool):
                rest = repr(sorted((k, repr(v)) for k, v in hypers.items() if k != name))
                groups.setdefault((base, name, rest), {})[label] = float(value)
    found = [_map(base, name, labels, rules, lanes) for (base, name, _), labels in groups.items() if len(labels) > 1]
    return tuple(sorted(found, key=lambda m: (m.hyper != "weight_decay", m.name, m.hyper)))


def default(base: str, name: str) -> Any:
    """What a rule of the registry has where nothing is given; None for others."""
    hyper = REGISTRY[base].hypers.get(name) if base in REGISTRY else None
    return None if hyper is None else hyper.default


def _map(base: str, name: str, labels: dict[str, float], rules: Sequence[str], lanes: Sequence[Any]) -> HeatMap:
    by_cell: dict[tuple[str, float], list[Any]] = {}
    for lane in lanes:
        if str(lane.rule) in labels:
            by_cell.setdefault((str(lane.rule), float(lane.lr)), []).append(lane)
    cells = []
    for (label, lr), own in by_cell.items():
        good = [float(x.val_metric) for x in own if x.status == "finished" and math.isfinite(x.val_metric)]
        cells.append(HeatCell(
            lr, labels[label], rules.index(label), float(np.mean(good)) if good else math.nan,
            float(np.std(good, ddof=1)) if len(good) > 1 else math.nan, len(good), sum(x.status == "retired" for x in own),
        ))  # fmt: skip
    return HeatMap(base, name, tuple(sorted({c.lr for c in cells})), tuple(sorted(set(labels.values()))), tuple(cells))
