"""`python -m benchmarks tune.scaling`: workers that sleep, so that what is seen is the driver and the transport, not the cores.

Each job trains a tiny model for an epoch and then sleeps in its metric. Efficiency is the slept time over that of all workers,
from the moment at which as many jobs are done as there are workers (before it they import torch) until the last round begins.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import slalom
from slalom.race.environment import environment
from slalom.tune import Float
from slalom.tune.events import RungDone

RESULT = Path(__file__).parents[1] / "results" / "tune-scaling.txt"
SLEEP = 10.0
ROUNDS = 5  # jobs a worker
WORKERS = (1, 8)


def sleepy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Accuracy, after a while."""
    time.sleep(SLEEP)
    return (outputs.argmax(1) == targets).double().mean()


class Ended(KeyboardInterrupt):
    """All trials are told; the finalists would sleep too."""


def efficiency(workers: int) -> float:
    """Share of the workers' time that they slept."""
    told: list[float] = []
    total = workers * (ROUNDS + 1)

    def watch(event: Any) -> None:
        if isinstance(event, RungDone):
            told.append(time.perf_counter())
            if len(told) == total:
                raise Ended

    slalom.tune(
        "mlp:4", "iris", space={"lr": Float(1e-3, 1, log=True)}, budget=total, lanes=1, epochs=1, halving=None, method="random",
        metric=sleepy, executor="processes", workers=workers, on_event=watch, seeds=1, finalists=1,
    )  # fmt: skip
    first, last = told[workers - 1], told[total - workers - 1]  # whole rounds: workers that started together end together
    return (total - 2 * workers) * SLEEP / (workers * (last - first))


def main() -> None:
    """Measure, print, and keep."""
    torch.set_num_threads(1)
    facts = environment()
    out = [f"slalom.tune: jobs that sleep {SLEEP:g} s, {ROUNDS} a worker, in processes on one machine",
           f"{facts['date']}  {facts['cores']} cores, load at the start {os.getloadavg()[0]:.1f}"]  # fmt: skip
    for workers in WORKERS:
        out.append(f"{workers} workers: efficiency {efficiency(workers):.3f}")
        print(out[-1], flush=True)
    RESULT.write_text("\n".join(out) + "\n")
