"""Time to target, ours against Optuna one trial after another, paired by seed.

The targets are fixed beforehand by random runs with another seed. Ours is on the clock from the call to the rung that tells of
the first trial at or under the target after all its epochs, with compilation, sampling and the journal. Misses count as infinity.
A rival that has used `PATIENCE` times our CPU seconds is given up: it counts as at least that, which changes no median below it.
Each run is a line of `results/tune-pairs.jsonl`, written as it ends; a benchmark that was stopped goes on from there, and
`results/tune.txt` says after every pair what is known so far.

`SLALOM_TUNE_SEEDS` (20): pairs of each task. `SLALOM_TUNE_TASKS`: which, by commas. `SLALOM_TUNE_MINUTES`: none is begun after
these; the tasks take turns, so that all come to about as many pairs.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import slalom
from benchmarks.tune.sequential import Reached, search, train
from benchmarks.tune.tasks import EPOCHS, POOL, POOL_SEEDS, SHARE, SPACE, TASKS, data_of, target
from slalom.race.environment import environment
from slalom.tune.events import BatchAsked, RungDone

BEGIN = time.perf_counter()
RESULT = Path(__file__).parents[1] / "results"
ROWS = RESULT / "tune-pairs.jsonl"
SEEDS = int(os.environ.get("SLALOM_TUNE_SEEDS", "20"))
ONLY = os.environ.get("SLALOM_TUNE_TASKS", ",".join(TASKS)).split(",")
MINUTES = float(os.environ.get("SLALOM_TUNE_MINUTES", "inf"))
ROUND = 2  # of measurements: raised where the search has changed, so that neither side's old rows are taken for today's
OURS_MOST, THEIRS_MOST, PATIENCE = 640, 320, 25.0
SAME, SAME_SEED = 40, 777  # points on which the two trainers are compared


class Enough(KeyboardInterrupt):
    """The target is reached; a search that is stopped returns at once."""


def ours(task: str, seed: int, goal: float, **given: Any) -> Reached:
    """A search as `slalom.tune` makes it, until the target."""
    begin, wall = time.process_time(), time.perf_counter()
    best, asked = math.inf, 0
    at = Reached(False, math.inf, math.inf, 0, best)

    def watch(event: Any) -> None:
        nonlocal best, asked, at
        if isinstance(event, BatchAsked):
            asked += len(event.trials)
        if isinstance(event, RungDone):
            ended = {int(n) for n, s in event.states.items() if s == "finished"}
            best = min([best, *(s[4] for s in event.standings if s[0] in ended)])
            at = Reached(best <= goal, time.process_time() - begin, time.perf_counter() - wall, asked, best)
            if at.hit:
                raise Enough

    with tempfile.TemporaryDirectory() as folder:
        slalom.tune(**{
            "data": task, "space": SPACE, "budget": OURS_MOST, "method": "bayesian", "epochs": EPOCHS, "seed": seed, "seeds": 1,
            "finalists": 1, "directory": Path(folder) / "run", "on_event": watch, **given,
        })  # fmt: skip
    return at


def rows() -> list[dict[str, Any]]:
    """What has been measured so far."""
    return [json.loads(line) for line in ROWS.read_text().splitlines()] if ROWS.exists() else []


def known(key: dict[str, Any]) -> dict[str, Any] | None:
    """The row of that key in this round, if there is one."""
    wanted = {**key, "round": ROUND}
    return next((r for r in rows() if all(r.get(k) == v for k, v in wanted.items())), None)


def time_left() -> bool:
    """Whether another run may begin."""
    return time.perf_counter() - BEGIN < 60 * MINUTES


def kept(key: dict[str, Any], run: Any) -> dict[str, Any]:
    """The row of that key; measured and kept where there is none."""
    key, found = {**key, "round": ROUND}, known(key)
    if found is None:
        found = {**key, **run(), "load": round(os.getloadavg()[0], 1)}
        with ROWS.open("a") as file:
            file.write(json.dumps(found) + "\n")
    return found


def same_task() -> dict[str, Any]:
    """The two trainers on the same random points of digits: do they come to the same losses?"""
    from scipy.stats import spearmanr, wilcoxon

    data, points = data_of("digits"), [SPACE.random(SAME_SEED, i) for i in range(SAME)]
    found = slalom.tune(
        data="digits", space=SPACE, budget=SAME, method="manual", enqueue=points, halving=None, epochs=EPOCHS, lanes=SAME,
        seed=3, finalists=1, seeds=1,
    )  # fmt: skip
    a = np.log([t.value for t in found.trials])
    b = np.log([min(train(data, p, 5000 + i), 2 * math.log(10)) for i, p in enumerate(points)])
    return {"spearman": float(spearmanr(a, b)[0]), "difference": float(np.mean(b - a)), "p": float(wilcoxon(b - a).pvalue)}


def spread(values: list[float]) -> str:
    """Median, quartiles and misses."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], method="nearest")
    return f"median {middle:8.2f}   quartiles {low:8.2f} .. {high:8.2f}   misses {sum(map(math.isinf, values))} of {len(values)}"


def times(row: dict[str, Any], clock: str) -> float:
    """Seconds; infinite for a miss."""
    return float(row[clock]) if row["hit"] else math.inf


def key_of(task: str, side: str, seed: int, goal: float) -> dict[str, Any]:
    """What a run is known by."""
    return {"task": task, "side": side, "seed": seed, "goal": round(goal, 6)}


def our_run(task: str, seed: int, goal: float) -> dict[str, Any]:
    """Our side of a seed."""
    return kept(key_of(task, "ours", seed, goal), lambda: ours(task, seed, goal).row())


def sequential_run(task: str, seed: int, goal: float, a: dict[str, Any]) -> dict[str, Any]:
    """Optuna's side, given up where it has taken `PATIENCE` times as long as ours, the row `a`."""
    patience = PATIENCE * a["cpu"] if a["hit"] else math.inf
    return kept(key_of(task, "sequential", seed, goal), lambda: search(task, seed, goal, THEIRS_MOST, patience).row())


def told(task: str, goal: float) -> list[str]:
    """What the pairs of a task have come to so far."""
    pool = f"{POOL} random runs in {len(POOL_SEEDS)} orders of the data"
    out, pairs = [f"\n{task}: target {goal:.4f}, the best {SHARE:.0%} of {pool}, fixed before"], []
    for seed in range(SEEDS):
        a, b = known(key_of(task, "ours", seed, goal)), known(key_of(task, "sequential", seed, goal))
        if a is None or b is None:
            continue
        pairs.append((a, b))
        theirs = "" if b["hit"] else " given up"
        sides = [
            f"{who} {cpu:7.2f} s {r['wall']:7.2f} wall {r['trials']:4d} trials {r['best']:.4f}"
            for who, cpu, r in (("ours", times(a, "cpu"), a), ("Optuna", b["cpu"], b))
        ]
        out.append(f"seed {seed:2d}   {'   '.join(sides)}{theirs}   load {a['load']}, {b['load']}")
    if not pairs:
        return [*out, "no pair so far"]
    out.append(f"ours                CPU s   {spread([times(a, 'cpu') for a, _ in pairs])}")
    out.append(f"Optuna sequential   CPU s   {spread([times(b, 'cpu') for _, b in pairs])}")
    for clock in ("cpu", "wall"):
        least = [b[clock] / a[clock] if a["hit"] else 0.0 for a, b in pairs]
        out.append(f"times sooner, {clock:4}          {spread(least)}   (at least, where Optuna was given up)")
    return out


def main() -> None:
    """Measure, keep, and say after each pair what is known."""
    torch.set_num_threads(1)
    facts, tasks = environment(), [t for t in TASKS if t in ONLY]
    same = kept({"task": "digits", "side": "trainers"}, same_task)
    head = [
        "slalom.tune: time to a target, MLPs with 9 hypers, one thread, CPU seconds",
        f"{facts['date']}  {facts['processor']}, {facts['cores']} cores, torch {facts['torch']}",
        f"the two trainers on {SAME} random points of digits: rank correlation of their losses {same['spearman']:.2f}, theirs "
        f"{same['difference']:+.1%} on average (Wilcoxon p = {same['p']:.2f})",
    ]
    print("\n".join(head), flush=True)
    goals = {task: target(task) for task in tasks}
    for task in tasks:
        ours(task, 10_001, 9.0)  # compilation and caches; on the clock of nobody, as torch's own start is not
    for seed, task in itertools.product(range(SEEDS), tasks):
        at = (task, seed, goals[task])
        fresh = known(key_of(task, "sequential", seed, goals[task])) is None
        if fresh and not time_left():
            continue
        sequential_run(*at, our_run(*at))
        lines = {t: told(t, goals[t]) for t in tasks}
        (RESULT / "tune.txt").write_text("\n".join([*head, *itertools.chain(*lines.values())]) + "\n")
        if fresh:
            print(f"{task}: {next(line for line in lines[task] if line.startswith(f'seed {seed:2d} '))}", flush=True)
    print("\n".join(itertools.chain(*(told(t, goals[t]) for t in tasks))), flush=True)
