"""The design problems' records: what truths and picks are made from, computed once and kept in .cache/range."""

from __future__ import annotations

import pickle
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.range import design_images, design_problems
from benchmarks.range.problem import OPTIMIZERS, Problem, curves
from benchmarks.range.truth import LRS, STEPS, TAIL, Truth
from benchmarks.range.truth import SEEDS as JUDGES

FOLDER = Path(".cache") / "range" / "design"
SEEDS = [100, 101]  # of the picks; none judges, else a pick would be flattered by luck that both share
assert not set(SEEDS) & set(JUDGES)


def problems() -> list[Problem]:
    return [*design_images.problems(), *design_problems.problems()]


def recorded(problem: Problem, optimizer: str) -> tuple[Truth, np.ndarray]:
    """The truth, and the losses `[rates, seeds, steps]` that picks are made from."""
    file = FOLDER / f"{problem.name} {optimizer}.pkl".replace("/", "-")
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        begin, used = time.perf_counter(), time.process_time()
        seen = curves(problem, optimizer, LRS, [*JUDGES, *SEEDS], STEPS).astype(np.float32)
        file.write_bytes(pickle.dumps(seen))
        wall, own = time.perf_counter() - begin, time.process_time() - used
        print(f"{problem.name}, {optimizer}: {wall:.0f} s, {own:.0f} s of a core", flush=True)
    seen = pickle.loads(file.read_bytes())
    judged = seen[:, : len(JUDGES)].astype(np.float64)
    return Truth(judged[:, :, -TAIL:].mean(2), float(judged[0, :, :20].mean())), seen[:, len(JUDGES) :]


if __name__ == "__main__":
    every = {problem.name: problem for problem in problems()}
    for wanted in sys.argv[1:] or every:
        for name in OPTIMIZERS:
            recorded(every[wanted], name)
