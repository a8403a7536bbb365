"""The design problems' truths (a file beside this one) and what picks are made from (computed once, kept in .cache/range)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.range import design_images, design_noisy, design_problems
from benchmarks.range.problem import OPTIMIZERS, Problem, curves
from benchmarks.range.truth import LRS, STEPS, Truth, truths
from benchmarks.range.truth import SEEDS as JUDGES

FOLDER = Path(".cache") / "range" / "design"
TRUTHS = "truth_design.json"
SEEDS = [100, 101, 102, 103]  # of the picks; none judges, else a pick would be flattered by luck that both share
assert not set(SEEDS) & set(JUDGES)


def problems() -> list[Problem]:
    return [*design_images.problems(), *design_problems.problems(), *design_noisy.problems()]


def recorded(problem: Problem, optimizer: str) -> tuple[Truth, np.ndarray]:
    """The truth, and the losses `[rates, seeds, steps]` that picks are made from."""
    file = FOLDER / f"{problem.name} {optimizer}.npy"
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        begin, used = time.perf_counter(), time.process_time()
        np.save(file, curves(problem, optimizer, LRS, SEEDS, STEPS).astype(np.float32))
        wall, own = time.perf_counter() - begin, time.process_time() - used
        print(f"{problem.name}, {optimizer}: {wall:.0f} s, {own:.0f} s of a core", flush=True)
    return truths([problem], TRUTHS, (optimizer,))[problem.name, optimizer], np.load(file)


if __name__ == "__main__":
    every = {problem.name: problem for problem in problems()}
    for wanted in sys.argv[1:] or every:
        for name in OPTIMIZERS:
            recorded(every[wanted], name)
