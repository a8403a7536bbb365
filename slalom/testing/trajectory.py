"""Runs of a rule, and how far two runs are apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slalom.core.rule import Settings
from slalom.testing.problems import Problem

Path = NDArray[np.float64]


def learning_rates(lr: float, steps: int) -> list[float]:
    """Constant, then a tenth from three fifths on: what tells lr inside a velocity from lr outside."""
    return [lr if t <= 3 * steps // 5 else lr / 10 for t in range(1, steps + 1)]


def run(
    settings: Settings, problem: Problem, steps: int, lrs: Sequence[float] | None = None
) -> tuple[Path, dict[str, torch.Tensor]]:
    """The reference path in float64: every point from the start on `[steps + 1, n]`, and the last states.

    `lrs` holds one learning rate a step; `learning_rates` of the rule's own by default.
    """
    lrs = learning_rates(settings.values["lr"], steps) if lrs is None else lrs
    p = torch.tensor(problem.start, dtype=torch.float64)
    s = settings.init(p)
    path = [problem.start]
    for t, lr in enumerate(lrs, 1):
        g = torch.from_numpy(problem.gradient(p.numpy(), t))
        p, s = settings.step(p, g, s, t, {**settings.values, "lr": lr})
        path.append(p.numpy())
    return np.array(path), {k: getattr(s, k) for k in settings.states}


def deviation(a: Any, b: Any) -> float:
    """The largest relative difference of two trajectories `[steps, n]`, NaN if either is not finite.

    Relative to the largest size of the coordinate, and, beyond half an ulp of the parameter a step, to the longest way
    that any coordinate went: a wrong step does not hide behind a large starting value.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("nan")
    apart = np.abs(a - b).max(0)
    travel = np.abs(b - b[0]).max()
    size = np.abs(b).max(0)
    beyond = np.maximum(apart - len(b) * np.finfo(np.float64).eps / 2 * size, 0.0).max()
    relative = np.divide(apart, size, out=np.where(apart > 0, np.inf, 0.0), where=size > 0)
    return float(max(relative.max(), beyond / travel if travel > 0 else beyond))


def agree(a: Any, b: Any, tolerance: float, what: str) -> None:
    """Raises AssertionError, with the step where they part, unless two trajectories agree; NaN never does."""
    apart = deviation(a, b)
    if not apart <= tolerance:
        a, b = np.asarray(a), np.asarray(b)
        wrong = f"shapes {a.shape} and {b.shape}"
        if a.shape == b.shape:
            scale = np.abs(b).max() or 1.0
            steps = np.flatnonzero(~(np.abs(a - b).max(1) <= tolerance * scale))
            first = steps[0] if len(steps) else int(np.abs(a - b).max(1).argmax())
            wrong = f"apart by {apart:.3g} relative, first at step {first}: {a[first]} against {b[first]}"
        raise AssertionError(f"{what}: {wrong}; allowed {tolerance:g}")
