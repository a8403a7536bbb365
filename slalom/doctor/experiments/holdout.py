"""Thirds of the training rows held out in turn: what the model makes of rows of the same kind that it has not seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slalom.doctor.case import Case
from slalom.doctor.run import train
from slalom.doctor.run.skill import outputs_of, right
from slalom.doctor.setup import Setup

PARTS = 3
FLOOR = 0.02  # of the variance of an accuracy of 1
MEDIAN = 0.5  # variance of a median's error over the spread


@dataclass(frozen=True)
class Held:
    """`train`, `val`: accuracy on training rows held out and on validation rows, at the look where both together were best
    (1 - median error over median spread where targets are numbers). `error`: standard error of their difference.
    """

    train: float
    val: float
    error: float
    what: str
    step: int


def held_out(case: Case) -> Held | None:
    """Trains on two thirds of the training rows as the set-up says, three times; None where it cannot be paid or judged."""
    setup = case.setup
    if setup.val is None or not case.affordable(PARTS - 1):
        return None
    order = torch.randperm(setup.rows, generator=torch.Generator().manual_seed(setup.seed + 17))
    found: dict[int, list[tuple[float, float, int]]] = {}  # by look: scores on rows held out and on validation rows
    for fold in range(PARTS):
        out = order[fold::PARTS]
        kept = torch.cat([order[k::PARTS] for k in range(PARTS) if k != fold])
        for k, (step, mine, other) in enumerate(_fold(setup, kept, out)):
            found.setdefault(k, []).append((mine, other, step))
    case.spent += PARTS - 1
    looks = [tuple(sum(v) / PARTS for v in zip(*look, strict=True)) for look in found.values() if len(look) == PARTS]
    known = [look for look in looks if math.isfinite(look[0]) and math.isfinite(look[1])]
    if not known:
        return None
    a, b, step = max(known, key=lambda look: look[0] + look[1])
    m, n = setup.rows, len(setup.val[1])
    classes = not math.isnan(right(case.outputs, case.batch[1]))
    spread = (max(a * (1 - a), FLOOR), max(b * (1 - b), FLOOR)) if classes else (MEDIAN, MEDIAN)
    error = math.sqrt(spread[0] / m + spread[1] / n)
    return Held(a, b, error, "accuracy" if classes else "skill", round(step * setup.steps / max(1, _steps(setup))))


def _steps(setup: Setup) -> int:
    return setup.changed(train=(setup.train[0][: setup.rows * 2 // PARTS], setup.train[1][: setup.rows * 2 // PARTS])).steps


def _fold(setup: Setup, kept: Tensor, out: Tensor) -> list[tuple[int, float, float]]:
    x, y = setup.train
    assert setup.val is not None
    pairs = ((x[out], y[out]), setup.val)
    size = min(setup.batch_size, len(kept))
    part = setup.changed(train=(x[kept], y[kept]), val=None, batch_size=size, drop_last=setup.drop_last or len(kept) % size == 1)
    found: list[tuple[int, float, float]] = []

    def at(step: int, model: nn.Module) -> None:
        mine, other = (_score(outputs_of(model, p[0]), p[1]) for p in pairs)
        found.append((step, mine, other))

    try:
        train(part, at=at)
    except (RuntimeError, ValueError):
        return []
    return found


def _score(outputs: object, y: Tensor) -> float:
    hits = right(outputs, y)
    if not math.isnan(hits) or not isinstance(outputs, Tensor):
        return hits
    if outputs.numel() != y.numel():
        return math.nan
    y = y.to(outputs.dtype).reshape(outputs.shape)
    # Medians: a few rows far off are no wrong labels.
    off, spread = float((outputs - y).abs().median()), float((y - y.median()).abs().median())
    return max(-1.0, 1 - off / spread) if spread > 0 else math.nan
