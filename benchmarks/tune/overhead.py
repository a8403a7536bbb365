"""`python -m benchmarks tune.overhead`: the sampler's time an ask, a restart, and how long lanes wait for the driver."""

from __future__ import annotations

import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import slalom
from benchmarks.tune.tasks import EPOCHS, SPACE
from slalom.race.environment import environment
from slalom.tune.events import BatchAsked, Done, RungDone, line_of, to_text
from slalom.tune.history import History
from slalom.tune.samplers import sampler_of
from slalom.tune.samplers.base import Past
from slalom.tune.samplers.plain import RandomSearch

RESULT = Path(__file__).parents[1] / "results" / "tune-overhead.txt"
METHODS = ("random", "evolution", "cma", "annealing", "bayesian")


def sampling(count: int = 1000, batch: int = 32) -> dict[str, float]:
    """CPU ms an ask with so many trials told, by method; the median of three batches."""
    out = {}
    for method in METHODS:
        sampler = sampler_of(method, SPACE, 0, trials=count, batch=batch, points=None, storage=None)
        history: list[Past] = []
        rng = np.random.default_rng(0)
        while len(history) < count - batch:  # a history as the sampler itself makes it; TPE's is random, to save hours
            asked = (sampler if method in ("evolution", "cma") else RandomSearch(SPACE, 0)).ask(batch, history)
            start = len(history)
            history += [Past(start + i, a.point, float(rng.random()), EPOCHS, i % 9 == 0, a.attrs) for i, a in enumerate(asked)]
        sampler.ask(1, history)
        times = []
        for _ in range(3):
            begin = time.process_time()
            asked = sampler.ask(batch, history)
            times.append((time.process_time() - begin) / batch * 1e3)
            start = len(history)
            history += [Past(start + i, a.point, float(rng.random()), EPOCHS, i % 9 == 0, a.attrs) for i, a in enumerate(asked)]
        out[method] = statistics.median(times)
    return out


def restart(trials: int = 10_000, batch: int = 32) -> tuple[float, float]:
    """CPU seconds to read the journal of so many trials, and to bring them to a new TPE study."""
    lines = []
    for b in range(0, trials, batch):
        numbers = range(b, min(b + batch, trials))
        points = [{"number": n, "point": SPACE.random(0, n), "attrs": {}, "seed": n, "enqueued": False} for n in numbers]
        lines.append(to_text(line_of(BatchAsked(b // batch, points, 0.0, [1, 3, 9, 27], 0))))
        standing = [[n, EPOCHS, 1.0 + n / trials, 0.5, 1.0 + n / trials, ""] for n in numbers]
        states = {str(n): "finished" for n in numbers}
        lines.append(to_text(line_of(RungDone(b // batch, 0, EPOCHS, standing, states, [], 0.0, 0))))
    begin = time.process_time()
    history = History.of(SPACE, map(json.loads, lines))
    read = time.process_time() - begin
    sampler: Any = sampler_of("bayesian", SPACE, 0, trials=trials, batch=batch, points=None, storage=None)
    begin = time.process_time()
    sampler._bring(history.pasts())
    return read, time.process_time() - begin


def idle() -> tuple[float, float]:
    """Shares of a search of digits: of its time in which the sampler kept lanes waiting, and which the sampler took at all."""
    ends: list[Done] = []
    slalom.tune(
        data="digits", space=SPACE, budget=256, method="bayesian", epochs=EPOCHS, seed=5, seeds=1, finalists=1,
        on_event=lambda e: ends.append(e) if isinstance(e, Done) else None,
    )  # fmt: skip
    return ends[0].waiting / ends[0].seconds, ends[0].sampling / ends[0].seconds


def main() -> None:
    """Measure, print, and keep."""
    torch.set_num_threads(1)
    facts = environment()
    out = [f"slalom.tune: what the driver costs\n{facts['date']}  {facts['processor']}, {facts['cores']} cores, load "
           f"{os.getloadavg()[0]:.1f}"]  # fmt: skip
    out.append("CPU ms an ask at 1,000 trials, batches of 32: " + ", ".join(f"{k} {v:.2f}" for k, v in sampling().items()))
    read, bring = restart()
    out.append(f"restart at 10,000 trials: journal read in {read:.2f} CPU s; with a TPE study {read + bring:.2f}")
    waiting, sampled = idle()
    out.append(
        f"256 trials of digits by TPE: lanes waited {waiting:.1%} of the wall time; the sampler took {sampled:.1%}, beside them"
    )
    print("\n".join(out))
    RESULT.write_text("\n".join(out) + "\n")
