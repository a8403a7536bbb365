"""A third of the training rows held out: what the model makes of rows of the same kind that it has not seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from slalom.doctor.case import Case
from slalom.doctor.run import constant_loss, train
from slalom.doctor.run.skill import right

PARTS = 3


@dataclass(frozen=True)
class Held:
    """`train`, `val`: accuracy (R2-like skill where targets are numbers) on held-out training rows and on validation rows,
    at the look
    where the latter was best; `error`: standard error of their difference.
    """

    train: float
    val: float
    error: float
    what: str
    step: int


def held_out(case: Case) -> Held | None:
    """Trains on two thirds of the training rows as the set-up says; None where it cannot be paid or judged."""
    setup = case.setup
    if setup.val is None or not case.affordable():
        return None
    n = setup.rows
    order = torch.randperm(n, generator=torch.Generator().manual_seed(setup.seed + 17))
    out, kept = order[: n // PARTS], order[n // PARTS :]
    x, y = setup.train
    part = setup.changed(
        train=(x[kept], y[kept]), val=(x[out], y[out]), batch_size=min(setup.batch_size, len(kept)), drop_last=False
    )
    if len(kept) % part.batch_size == 1:
        part = part.changed(drop_last=True)
    found: list[tuple[int, float, float]] = []

    def at(step: int, model: torch.nn.Module) -> None:
        from slalom.doctor.run.skill import outputs_of

        pairs = ((x[out], y[out]), setup.val)
        scores = [_score(case, outputs_of(model, p[0]), p[1]) for p in pairs if p is not None]
        found.append((step, scores[0], scores[1]))

    try:
        train(part, at=at)
    except (RuntimeError, ValueError):
        return None
    case.spent += 1.0
    known = [f for f in found if math.isfinite(f[1]) and math.isfinite(f[2])]
    if not known:
        return None
    step, a, b = max(known, key=lambda f: max(f[1], f[2]))
    classes = not math.isnan(right(case.outputs, case.batch[1]))
    m, k = len(out), len(setup.val[1])
    if classes:
        mean = (a * m + b * k) / (m + k)
        error = math.sqrt(max(mean * (1 - mean), 0.02) * (1 / m + 1 / k))
    else:
        error = 0.7 * math.sqrt(1 / m + 1 / k)
    return Held(a, b, error, "accuracy" if classes else "skill", step)


def _score(case: Case, outputs: object, y: Tensor) -> float:
    hits = right(outputs, y)
    if not math.isnan(hits) or not isinstance(outputs, Tensor):
        return hits
    with torch.no_grad():
        loss = float(case.setup.loss_fn(outputs, y))
    constant = constant_loss(case.setup.loss_fn, outputs[:1].expand(outputs.shape), y)
    return max(-1.0, 1 - loss / constant) if constant > 0 else math.nan
