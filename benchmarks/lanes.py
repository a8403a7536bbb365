"""Lanes against the plain ways of training N copies of a model: microseconds per optimizer step per lane, Adam, float32.

Every case is timed in interleaved repeats of a few steps; medians, and medians of the ratios within a repeat. Making the lanes,
tracing and compiling are not in these times but are printed. "two processes" is the sequential loop in two processes of one
thread each; its time is that of a step of one of them, halved. JAX runs in a process of its own, all steps in one scan.

Options come in the variable LANES_BENCH. On a machine that is busy with other work, `--core-time` counts the processor time
of all threads instead of wall time: then one sequential thread stands for both sequential ways, and lanes and JAX would take
half the time told on two idle cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from torch import nn

from benchmarks.lane_cases import CASES, Case
from slalom.engines.lanes import Lane, Lanes, lanes_of
from slalom.race.entrants import DEFAULT_RULES, entrant
from slalom.race.environment import environment
from slalom.race.grid import around

GROWTH = (1, 4, 16, 64, 256, 1024)


CLOCKS = {"wall": time.perf_counter, "core": time.process_time}


def sequential(name: str, threads: int, seconds: float, clock: str) -> float:
    """Microseconds of a step of one model with torch's fused Adam."""
    case = CASES[name]
    torch.set_num_threads(threads)
    x, y = case.data()
    torch.manual_seed(0)
    module = case.model()
    adam = torch.optim.Adam(module.parameters(), fused=True)
    g = torch.Generator().manual_seed(1)

    def step() -> None:
        index = torch.randint(0, len(x), (case.batch,), generator=g)
        loss = nn.functional.cross_entropy(module(x[index]), y[index])
        adam.zero_grad()
        loss.backward()
        adam.step()

    for _ in range(5):
        step()
    now, count = CLOCKS[clock], 0
    begin = now()
    while now() - begin < seconds:
        step()
        count += 1
    return (now() - begin) / count * 1e6


class Ours:
    """Lanes, warm; `__call__` gives microseconds per lane-step."""

    def __init__(self, case: Case, lanes: list[Lane], clock: str, mechanism: str = "auto") -> None:
        begin = time.perf_counter()
        self.now = CLOCKS[clock]
        self.x, self.y = case.data()
        self.batch, self.random = case.batch, torch.Generator().manual_seed(1)
        example = (self.x[: case.batch], self.y[: case.batch])
        self.lanes = Lanes(case.model, lanes, loss="cross_entropy", example=example, mechanism=mechanism)
        self._run(3)
        self.set_up = time.perf_counter() - begin

    def _run(self, steps: int) -> float:
        shape = (len(self.lanes), self.batch)
        batches = [torch.randint(0, len(self.x), shape, generator=self.random) for _ in range(steps)]
        begin = self.now()
        self.lanes.epoch(self.x, self.y, batches)
        return (self.now() - begin) / steps

    def __call__(self, seconds: float) -> float:
        steps = max(3, int(seconds / self._run(2)))
        return self._run(steps) / len(self.lanes) * 1e6


def median(values: list[float]) -> str:
    return f"{statistics.median(values):8.1f} ({min(values):.1f} to {max(values):.1f})"


def one_case(name: str, repeats: int, seconds: float, jax: bool, clock: str) -> None:
    """Prints a table of the case."""
    case, threads = CASES[name], torch.get_num_threads()
    many = lanes_of("adam", lr=1e-3, seed=list(range(case.lanes)))
    ours = {"ours": Ours(case, many, clock)}
    if name != "gru":  # torch.vmap has no rule for it
        ours["vmap"] = Ours(case, many, clock, "vmap")
    context = get_context("spawn")
    times: dict[str, list[float]] = {}
    with (
        ProcessPoolExecutor(2, context) as two,
        ProcessPoolExecutor(1, context) as apart,
        ProcessPoolExecutor(1, context) as apart2,
    ):
        rivals = {}
        if jax:
            from benchmarks import lane_jax

            rivals = {"jax, one device": (apart, 1)}
            if clock == "wall":
                rivals["jax, two host devices"] = apart2, 2
            for pool, devices in rivals.values():
                pool.submit(lane_jax.prepare, name, devices).result()
        wall = clock == "wall"
        if wall:
            list(two.map(sequential, [name] * 2, [1] * 2, [0.2] * 2, [clock] * 2))
        for _ in range(repeats):
            times.setdefault("sequential", []).append(sequential(name, threads if wall else 1, seconds, clock))
            torch.set_num_threads(threads)
            if wall:
                both = two.map(sequential, [name] * 2, [1] * 2, [seconds] * 2, [clock] * 2)
                times.setdefault("two processes", []).append(statistics.mean(both) / 2)
            for key, run in ours.items():
                times.setdefault(key, []).append(run(seconds))
            for key, (pool, _) in rivals.items():
                times.setdefault(key, []).append(pool.submit(lane_jax.run, seconds, clock).result())
    print(f"\n{name}: {case.lanes} lanes, batch {case.batch}; set-up {ours['ours'].set_up:.1f} s")
    for key, values in times.items():
        ratios = [a / b for a, b in zip(values, times["ours"], strict=True)]
        print(f"  {key:<22}{median(values)}   ours is {statistics.median(ratios):5.2f} x as fast")
    print("  " + ours["ours"].lanes.explain().replace("\n", "\n  "))


def rules(repeats: int, seconds: float, clock: str) -> None:
    """The race of 11 rules x 9 rates against as many lanes of one rule."""
    case = CASES["mlp 64"]
    mixed = [Lane(entrant(r).optimizer(lr)) for r in DEFAULT_RULES for lr in around(entrant(r).default_lr)]
    one = lanes_of("adam", lr=1e-3, seed=list(range(len(mixed))))
    runs = {"11 rules": Ours(case, mixed, clock), "one rule": Ours(case, one, clock)}
    times: dict[str, list[float]] = {k: [] for k in runs}
    for _ in range(repeats):
        for key, run in runs.items():
            times[key].append(run(seconds))
    ratios = [a / b for a, b in zip(times["11 rules"], times["one rule"], strict=True)]
    print(f"\n{len(mixed)} lanes of mlp 64: " + ", ".join(f"{k} {median(v)}" for k, v in times.items()))
    print(f"  11 rules cost {statistics.median(ratios):.2f} x one rule ({min(ratios):.2f} to {max(ratios):.2f})")


def growth(repeats: int, seconds: float, clock: str) -> None:
    """Microseconds per lane-step by the number of lanes."""
    case = CASES["mlp 64"]
    runs = {n: Ours(case, lanes_of("adam", lr=1e-3, seed=list(range(n))), clock) for n in GROWTH}
    times: dict[int, list[float]] = {n: [] for n in runs}
    for _ in range(repeats):
        for n, run in runs.items():
            times[n].append(run(seconds))
    print("\nmlp 64 by number of lanes")
    for n, values in times.items():
        print(f"  {n:>5} {median(values)}")


def main(device: str = "cpu") -> None:
    if device != "cpu":
        from benchmarks import lanes_cuda

        lanes_cuda.main(device)
        return
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--cases", default=",".join(CASES).replace(" ", "-"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--no-jax", action="store_true")
    parser.add_argument("--core-time", dest="clock", action="store_const", const="core", default="wall")
    options, _ = parser.parse_known_args(os.environ.get("LANES_BENCH", "").split())
    facts = environment()
    about = f"{facts['threads']} threads, {facts['processor']}, {facts['system']}"
    print(f"{facts['date']}  torch {facts['torch']}, {about}")
    print(f"{options.clock} time, {options.repeats} repeats of about {options.seconds} s; load average {os.getloadavg()[0]:.1f}")
    for name in filter(None, options.cases.split(",")):
        one_case(name.replace("-", " "), options.repeats, options.seconds, not options.no_jax, options.clock)
    rules(options.repeats, options.seconds, options.clock)
    growth(options.repeats, options.seconds, options.clock)
    print(f"\nload average at the end {os.getloadavg()[0]:.1f}")
