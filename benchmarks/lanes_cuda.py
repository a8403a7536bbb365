"""Lanes on a CUDA device by their number, against one model at a time: `python -m benchmarks lanes --device cuda`.

Microseconds per optimizer step per lane, Adam, float32, wall time between synchronisations; medians of interleaved repeats,
with the least and the most. Rivals train one model: eager with torch's fused Adam, and the same step captured into a CUDA graph
(the fair one); that graph in several processes at a time, which share the device as its driver lets them (no MPS daemon is
started: where one runs, they use it); JAX's jit(vmap) with all steps in one scan, where jax has the device. Batches lie on the
device, each lane its own. Making, compiling and capturing are not in the times but are printed. Memory is the most that torch
had allocated while lanes were made and run, by lane. What it prints goes to benchmarks/results/lanes-cuda-DEVICE.txt too.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.clock import described, in_a_graph
from benchmarks.lane_cases import CASES
from slalom.engines.lanes import Lanes, lanes_of
from slalom.race.environment import environment

COUNTS = (1, 4, 16, 64, 256, 1024, 4096)
OTHERS = ("mlp 32", "mlp 256", "cnn", "gru", "transformer")
PROCESSES = 4
REPEATS, SECONDS = 5, 0.5


class Single:
    """One model with torch's fused Adam; a call is a step."""

    def __init__(self, name: str, device: str) -> None:
        self.case = CASES[name]
        self.x, self.y = (t.to(device) for t in self.case.data())
        torch.manual_seed(0)
        self.module = self.case.model().to(device)
        self.adam = torch.optim.Adam(self.module.parameters(), fused=True, capturable=True)
        self.index = torch.randint(0, len(self.x), (64, self.case.batch), device=device)
        self.place = torch.zeros(1, dtype=torch.int64, device=device)

    def __call__(self) -> None:
        index = self.index.index_select(0, self.place)[0]
        self.place.add_(1).remainder_(64)
        loss = nn.functional.cross_entropy(self.module(self.x[index]), self.y[index])
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()


class Ours:
    """So many lanes, warm; `run` takes steps."""

    def __init__(self, name: str, count: int, device: str) -> None:
        case = CASES[name]
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before, begin = torch.cuda.memory_allocated(), time.perf_counter()
        self.x, self.y = (t.to(device) for t in case.data())
        many = lanes_of("adam", lr=1e-3, seed=list(range(count)))
        example = self.x[: case.batch], self.y[: case.batch]
        self.lanes = Lanes(case.model, many, loss="cross_entropy", example=example, device=device)
        self.shape, self.device = (count, case.batch), device
        self.run(70)
        torch.cuda.synchronize()
        self.set_up = time.perf_counter() - begin
        self.bytes = (torch.cuda.max_memory_allocated() - before) / count

    def run(self, steps: int) -> None:
        self.lanes.epoch(self.x, self.y, [torch.randint(0, len(self.x), self.shape, device=self.device) for _ in range(steps)])


def microseconds(run: Callable[[int], Any], seconds: float) -> float:
    """Of a step, from a count that takes about so many seconds."""
    count, took = 64, 0.0
    while True:
        torch.cuda.synchronize()
        begin = time.perf_counter()
        run(count)
        torch.cuda.synchronize()
        took = time.perf_counter() - begin
        if took >= seconds / 4:
            return took / count * 1e6
        count *= 4


def repeated(step: Callable[[], None]) -> Callable[[int], None]:
    """So many steps."""

    def run(count: int) -> None:
        for _ in range(count):
            step()

    return run


def in_a_process(name: str, device: str, seconds: float) -> float:
    """Microseconds of a step of a graph-captured model in this process, beside the others of its kind."""
    return microseconds(repeated(in_a_graph(Single(name, device))), seconds)


def by_jax(name: str, count: int, seconds: float) -> float:
    """Microseconds per lane-step, in a process of its own."""
    from benchmarks import lane_jax

    lane_jax.prepare(name, 1, platform="cuda", lanes=count)
    return statistics.median(lane_jax.run(seconds, "wall") for _ in range(REPEATS))


def line(values: list[float]) -> str:
    return f"{statistics.median(values):9.2f} ({min(values):.2f} to {max(values):.2f})"


def one_case(name: str, counts: tuple[int, ...], device: str, say: Callable[[str], None]) -> None:
    """A table of a case by the number of lanes."""
    case, single = CASES[name], Single(name, device)
    rivals = {"one model, eager": repeated(single), "one model, in a graph": repeated(in_a_graph(Single(name, device)))}
    times: dict[str, list[float]] = {}
    made: dict[str, Ours] = {}
    faults: list[str] = []
    for count in counts:
        try:
            made[f"{count} lanes"] = Ours(name, count, device)
        except (torch.OutOfMemoryError, ValueError) as error:
            faults.append(f"{count} lanes: {error}")
    for _ in range(REPEATS):
        for key, run in rivals.items():
            times.setdefault(key, []).append(microseconds(run, SECONDS))
        for key, ours in made.items():
            times.setdefault(key, []).append(microseconds(ours.run, SECONDS) / ours.shape[0])
    context = get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, context) as several:
        each = list(several.map(in_a_process, [name] * PROCESSES, [device] * PROCESSES, [4 * SECONDS] * PROCESSES))
    times[f"{PROCESSES} processes of graphs"] = [statistics.mean(each) / PROCESSES]
    say(f"\n{name}: batch {case.batch}, microseconds per lane-step")
    graph = times["one model, in a graph"]
    for key, values in times.items():
        ratio = statistics.median(a / b for a, b in zip(graph * len(values), values, strict=False))
        more = ""
        if key in made:
            ours = made[key]
            rate = f"  {1e6 / statistics.median(values):12.0f} lane-steps/s"
            more = f"{rate} {ours.bytes / 1e6:8.2f} MB a lane, set-up {ours.set_up:.1f} s"
        say(f"  {key:<24}{line(values)}  {ratio:7.2f} x the graph of one{more}")
    for fault in faults:
        say(f"  {fault}")
    with ProcessPoolExecutor(1, context) as apart:
        try:
            count = max(ours.shape[0] for ours in made.values())
            say(f"  jax, {count} lanes          {apart.submit(by_jax, name, count, SECONDS).result():9.2f}")
        except (ImportError, RuntimeError) as error:
            say(f"  jax is not here with CUDA: {str(error).splitlines()[0][:100]}")
    say("  " + list(made.values())[-1].lanes.explain().replace("\n", "\n  "))


def main(device: str) -> None:
    if not torch.cuda.is_available():
        raise SystemExit(
            "lanes --device cuda: torch finds no CUDA device here (a CPU build, or no driver); run it on one that has"
        )
    told, lines = environment(), []

    def say(text: str) -> None:
        print(text, flush=True)
        lines.append(text)

    say(f"{told['date']}  torch {told['torch']}; {described(device)}")
    say(f"medians of {REPEATS} interleaved repeats of about {SECONDS} s; float32, seeds 0..N-1")
    try:
        for precision in ("highest", "high"):
            torch.set_float32_matmul_precision(precision)
            say(f"\nmatrix products: {precision} ({'float32' if precision == 'highest' else 'TF32'})")
            one_case("mlp 64", COUNTS, device, say)
    finally:
        torch.set_float32_matmul_precision("highest")
    for name in OTHERS:
        one_case(name, (CASES[name].lanes, 1024), device, say)
    kind = re.sub(r"[^a-z0-9]+", "-", torch.cuda.get_device_name(device).lower()).strip("-")
    target = Path(__file__).parent / "results" / f"lanes-cuda-{kind}.txt"
    target.write_text("\n".join(lines) + "\n")
    print(f"written to {target}")
