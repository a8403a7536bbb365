"""Cases of the bench, and the plain training that shows whether a fault hurts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch

from slalom.testing.faults.bases import BASES
from slalom.testing.faults.healthy import HEALTHY
from slalom.testing.faults.mutations import MUTATIONS
from slalom.testing.faults.spec import Case, Spec


def faulty_cases(bases: Iterable[str], seeds: Iterable[int]) -> Iterator[Case]:
    """Every mutation of every base that it applies to."""
    for seed in seeds:
        for name in bases:
            for m in MUTATIONS:
                twin = m.twin(BASES[name](seed))
                made = None if twin is None else m.fault(twin)
                if twin is not None and made is not None:
                    yield Case(f"{name}, {m.name}, seed {seed}", m.label, m.name, twin, made)


def healthy_cases(bases: Iterable[str], seeds: Iterable[int]) -> Iterator[Case]:
    for seed in seeds:
        for name in bases:
            for kind, change in HEALTHY.items():
                made = change(BASES[name](seed))
                if made is not None:
                    yield Case(f"{name}, {kind}, seed {seed}", None, kind, made, made)


def outcome(spec: Spec) -> tuple[float, float]:
    """Train as the set-up says, plainly: score on training and validation rows at the end (accuracy, or R2)."""
    a = spec.arguments()
    model = a["model"]
    torch.manual_seed(spec.seed)
    optimizer = spec.optimizer(model)
    schedule = None if spec.schedule is None else spec.schedule(optimizer)
    generator = torch.Generator().manual_seed(spec.seed)
    model.train()
    for _ in range(spec.epochs):
        for rows in torch.split(torch.randperm(len(spec.y), generator=generator), spec.batch):
            optimizer.zero_grad()
            try:
                loss = spec.loss(model(spec.x[rows]), spec.y[rows])
            except ValueError:  # a batch of one row under batch normalisation
                continue
            if not math.isfinite(float(loss.detach())):
                return -1.0, -1.0
            if loss.requires_grad:
                loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if schedule is not None:
            schedule.step()
    model.eval()
    with torch.no_grad():
        return _score(spec, model(spec.x), spec.y), _score(spec, model(spec.xv), spec.yv)


def _score(spec: Spec, outputs: torch.Tensor, y: torch.Tensor) -> float:
    if not bool(torch.isfinite(outputs).all()):
        return -1.0
    if spec.score == "r2":
        y = y.reshape(outputs.shape)
        return max(-1.0, 1.0 - float((outputs - y).square().mean() / (y - y.mean(0)).square().mean()))
    if y.is_floating_point():
        return float(((outputs > 0) == (y > 0.5)).double().mean())
    hits = outputs.argmax(1) == y
    return float(torch.stack([hits[y == c].double().mean() for c in torch.unique(y)]).mean())  # balanced over classes


def hurts(case: Case) -> bool:
    """Whether the fault shows against its healthy twin: the score falls by 0.04, or what it lacks grows by half and by
    0.015; faults
    of the data itself hurt where the run breaks."""
    if case.label == "nonfinite_data":
        return True
    good, bad = outcome(case.base), outcome(case.spec)
    return shows(good, bad)


def shows(good: tuple[float, float], bad: tuple[float, float]) -> bool:
    """Scores of the twin and of the faulty run, on training and validation rows: is one of the two clearly worse?"""
    return any(a - b >= 0.04 or (a - b >= 0.015 and (1 - b) >= 1.5 * (1 - a)) for a, b in zip(good, bad, strict=True))
