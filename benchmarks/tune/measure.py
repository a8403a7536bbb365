"""Time to target ours against Optuna sequential, paired by seed; the sampler's time a trial; a restart.

The target is fixed beforehand by random runs with another seed. Ours is on the clock from the call to the rung that tells of the
first trial at or under the target after all its epochs; compile, sampling and the journal are in it. Misses count as infinity.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import slalom
from benchmarks.tune.sequential import search
from benchmarks.tune.space import EPOCHS, POOL, POOL_SEED, SHARE, SPACE
from slalom.race.environment import environment
from slalom.tune.events import BatchAsked, RungDone, line_of, to_text
from slalom.tune.history import History
from slalom.tune.samplers import sampler_of
from slalom.tune.samplers.base import Past
from slalom.tune.samplers.plain import RandomSearch

TARGET = Path(__file__).parent / "target.json"
RESULT = Path(__file__).parents[1] / "results" / "tune.txt"
SEEDS = int(os.environ.get("SLALOM_TUNE_SEEDS", "20"))
OURS_MOST, THEIRS_MOST = 640, 320


class Reached(KeyboardInterrupt):
    """The target is reached; a search that is stopped returns at once."""


def target() -> float:
    """What the best 2 % of the random runs come to; worked out once, and kept."""
    if not TARGET.exists():
        found = slalom.tune(
            data="digits", space=SPACE, budget=POOL, method="random", halving=None, epochs=EPOCHS, lanes=100, seed=POOL_SEED,
            finalists=1, seeds=1,
        )  # fmt: skip
        values = sorted(float(t.value) for t in found.trials if t.value is not None)
        body = {"target": values[math.ceil(SHARE * POOL) - 1], "runs": POOL, "seed": POOL_SEED, "values": values[:20]}
        TARGET.write_text(json.dumps(body, indent=1) + "\n")
    return float(json.loads(TARGET.read_text())["target"])


def ours(seed: int, goal: float) -> tuple[float, float, int, float, int]:
    """CPU and wall seconds until the target, trials, the best value, lane steps."""
    begin, wall = time.process_time(), time.perf_counter()
    at: list[float] = []
    best, asked, steps = math.inf, 0, 0

    def watch(event: Any) -> None:
        nonlocal best, asked, steps
        if isinstance(event, BatchAsked):
            asked += len(event.trials)
        if isinstance(event, RungDone):
            steps = event.lane_steps
            ended = {int(n) for n, s in event.states.items() if s == "finished"}
            best = min([best, *(s[4] for s in event.standings if s[0] in ended)])
            if best <= goal:
                at.extend([time.process_time() - begin, time.perf_counter() - wall])
                raise Reached

    with tempfile.TemporaryDirectory() as folder:
        slalom.tune(
            data="digits", space=SPACE, budget=OURS_MOST, method="bayesian", epochs=EPOCHS, seed=seed, seeds=1, finalists=1,
            directory=Path(folder) / "run", on_event=watch,
        )  # fmt: skip
    return (*at, asked, best, steps) if at else (math.inf, math.inf, asked, best, steps)


def sampling(count: int = 1000, batch: int = 32) -> dict[str, float]:
    """CPU ms an ask with so many trials told, by method; the median of three batches."""
    out = {}
    for method in ("random", "evolution", "cma", "annealing", "bayesian"):
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
        lines.append(to_text(line_of(BatchAsked(b // batch, points, 0.0))))
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


def _spread(values: list[float]) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], method="nearest")
    return f"median {middle:8.2f}   quartiles {low:8.2f} .. {high:8.2f}   misses {sum(map(math.isinf, values))} of {len(values)}"


def main() -> None:
    """Measure, print, and keep."""
    torch.set_num_threads(1)
    data = slalom.data.load("digits")
    goal = target()
    out: list[str] = []

    def say(text: str = "") -> None:
        print(text, flush=True)
        out.append(text)

    facts = environment()
    say("slalom.tune: digits MLP, 9 hypers, one thread")
    where = f"{facts['processor']}, {facts['cores']} cores, torch {facts['torch']}"
    say(f"{facts['date']}  {where}; load at the start {os.getloadavg()[0]:.1f}")
    say(f"target: validation loss {goal:.4f}, the best {SHARE:.0%} of {POOL} random runs (seed {POOL_SEED}), fixed before")
    ours(10_001, 0.9)  # compilation and caches; on the clock of nobody, as torch's own start is not
    rows = []
    for seed in range(SEEDS):
        order = [0, 1] if seed % 2 else [1, 0]
        pair: dict[int, Any] = {}
        for side in order:
            pair[side] = ours(seed, goal) if side == 0 else search(data, seed, goal, THEIRS_MOST, time.process_time)
        rows.append((pair[0], pair[1]))
        a, b = pair[0], pair[1]
        say(
            f"seed {seed:2d}   ours {a[0]:7.2f} CPU s {a[1]:7.2f} s {a[2]:4d} trials {a[3]:.4f}   "
            f"Optuna sequential {b[0]:7.2f} CPU s {b[1]:7.2f} s {b[2]:4d} trials {b[3]:.4f}"
        )
    say()
    say(f"ours                CPU s   {_spread([a[0] for a, _ in rows])}")
    say(f"Optuna sequential   CPU s   {_spread([b[0] for _, b in rows])}")
    ratios = [b[0] / a[0] if math.isfinite(a[0]) else 0.0 for a, b in rows]
    say(f"times sooner, CPU           {_spread(ratios)}")
    walls = [b[1] / a[1] if math.isfinite(a[1]) else 0.0 for a, b in rows]
    say(f"times sooner, wall          {_spread(walls)}")
    say()
    say("CPU ms an ask at 1,000 trials, batches of 32: " + ", ".join(f"{k} {v:.2f}" for k, v in sampling().items()))
    read, bring = restart()
    say(f"restart at 10,000 trials: journal read in {read:.2f} CPU s; with a TPE study {read + bring:.2f}")
    RESULT.write_text("\n".join(out) + "\n")
