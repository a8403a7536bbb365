"""Six methods on digits, each at rates half a decade apart: one sweep that several claims read."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from slalom.claims.claim import Plan
from slalom.claims.lab.tasks import digits
from slalom.claims.lab.training import Floats, Sweep, decades, sweep

GRIDS = {
    "sgd": decades(0.01, 100), "momentum": decades(1e-3, 10), "adagrad": decades(1e-3, 10), "rmsprop": decades(1e-4, 1),
    "adadelta": decades(0.01, 100), "adam": decades(1e-4, 1),
}  # fmt: skip


@lru_cache(maxsize=2)
def rivals(plan: Plan) -> dict[str, Sweep]:
    """Every method at nine rates over four decades, with every seed."""
    task = digits()
    settings: dict[str, dict[str, Any]] = {"rmsprop": {"alpha": 0.9}}
    return {name: sweep(task, name, lrs, plan, **settings.get(name, {})) for name, lrs in GRIDS.items()}


def decades_within(found: Sweep, margin: float = 0.01) -> Floats:
    """Decades of rates within `margin` of the best accuracy, for each seed: half a decade a rate."""
    best: Floats = found.accuracy.max(0)
    return np.asarray(0.5 * (found.accuracy >= best - margin).sum(0))
