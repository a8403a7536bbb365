"""Classes so rare that the model never says them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from slalom.doctor.case import Case
from slalom.doctor.curve import Figure
from slalom.doctor.finding import Finding, finding
from slalom.doctor.fixes import candidates
from slalom.doctor.run.skill import outputs_of
from slalom.doctor.setup import Pair

RATIO = 10.0  # rows of the largest class over those of the smallest
MISSED = 0.8  # recall of rare classes
WON = 0.15  # recall that weighting the classes must win


def look(case: Case) -> list[Finding]:
    """Rare classes with a poor recall, which a weighted loss mends."""
    counts = case.counts
    if counts is None or len(counts) < 2 or max(counts) / min(counts) < RATIO or case.run.broke is not None:
        return []
    ratio = max(counts) / min(counts)
    mine = recall(case, case.run.model)
    if math.isnan(mine) or mine >= MISSED:
        return []
    figures = [Figure("ratio", ratio, RATIO, "rows of the largest class over those of the smallest"),
               Figure("recall", -mine, -MISSED, "(minus the) share of rows of rare classes that are told")]  # fmt: skip
    for fix in candidates("class_imbalance")[:3]:
        trial = case.tried(fix.name, fix.apply, whole=True)
        if trial is None:
            continue
        other = recall(case, trial.run.model)
        if other - mine >= WON:
            words = f"the same, won by a branch with {trial.change.words}"
            return [finding("class_imbalance", (*figures, Figure("won", other - mine, WON, words)), 0.93, 0, counts=counts)]
    return []


def recall(case: Case, model: torch.nn.Module) -> float:
    """The mean recall of classes with a tenth of the largest's rows or less, on validation rows if there are any of them."""
    rare = rare_classes(case.setup.train[1])
    for pair in (case.setup.val, case.setup.train):
        if pair is not None and sum(int((_numbers(pair[1]) == c).sum()) for c in rare) >= 3:
            return _recall(model, pair, rare)
    return _recall(model, case.setup.train, rare)


def rare_classes(y: Tensor) -> list[int]:
    counts = torch.bincount(_numbers(y).clamp(min=0))
    return [c for c in range(len(counts)) if 0 < int(counts[c]) <= float(counts.max()) / RATIO]


def _numbers(y: Tensor) -> Tensor:
    return y.detach().flatten().long()


def _recall(model: torch.nn.Module, pair: Pair, rare: list[int]) -> float:
    outputs = outputs_of(model, pair[0])
    if not isinstance(outputs, Tensor):
        return math.nan
    y = _numbers(pair[1])
    if outputs.numel() == len(y):
        said = (outputs.flatten() > (0.5 if bool(((outputs >= 0) & (outputs <= 1)).all()) else 0.0)).long()
    elif outputs.dim() == 2:
        said = outputs.argmax(1)
    else:
        return math.nan
    shares = [float((said[y == c] == c).double().mean()) for c in rare if bool((y == c).any())]
    return sum(shares) / len(shares) if shares else math.nan
