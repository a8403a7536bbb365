"""Every optimizer's step on one device: ours, torch's best and torch's default path, against the device's copy bandwidth.

`python -m benchmarks optimizers` measures the processor (five to eight minutes on two quiet cores), `--device cuda` a GPU, on
which times are taken between two events of the stream, and steps are also captured into a CUDA graph ("in a graph": torch's with
capturable=True, where it has that).

For each rule and size all paths are timed in turn, the order turned from round to round. Shown are the least and the median
milliseconds; ratios are medians over the rounds of one time over the other in the same round, which a busy machine disturbs
least. Bytes are the least a step can move: parameter read and written, gradient read, each state read and written, which is
12 + 8 a state per float32 element; "of copy" is that rate over the one of `copy_` between two tensors of the same number of
elements, in the same rounds. "In a row" times ten steps together, after one that is not timed; elsewhere the other paths'
memory passes through the caches between two steps. Then the first step's time, with an empty and with a filled store of
compiled kernels, in processes of their own. On the processor the bars of issue 3 come last, each with PASS or MISS.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time

import torch

from benchmarks.clock import described
from benchmarks.optimizers.bars import Measured, figures, over_best, print_bars
from benchmarks.optimizers.paths import FUSED_ADAM, RULES, Memory, states, steps
from benchmarks.optimizers.timing import interleaved, shown
from slalom.race.environment import environment

SMALL = [2_064] * 160
SIZES = {"16.8 M in 32": [524_288] * 32, "0.33 M in 160": SMALL, "0.33 M in 160, in a row": SMALL, "64 M in 1": [64_000_000]}
ON_A_GPU = {"16.8 M in 32, in a graph": SIZES["16.8 M in 32"], "0.33 M in 160, in a graph": SMALL}
ROUNDS = {"16.8 M in 32": 15, "0.33 M in 160": 60, "0.33 M in 160, in a row": 25, "64 M in 1": 7}
ROUNDS_ON_A_GPU = 50
ROW = {"0.33 M in 160, in a row": 10}
SECONDS = {"16.8 M in 32": 5.0, "0.33 M in 160": 3.0, "0.33 M in 160, in a row": 6.0, "64 M in 1": 6.0}  # a rule at most, about
FIRST = """
import time, torch, slalom.optim
params = [torch.nn.Parameter(torch.zeros(16, device={device!r})) for _ in range({tensors})]
for p in params:
    p.grad = torch.zeros_like(p)
wait = torch.cuda.synchronize if params[0].is_cuda else lambda: None
wait()
optimizer = slalom.optim.{name}(params)
begin = time.perf_counter()
optimizer.step()
wait()
print(time.perf_counter() - begin)
"""


def first_step(name: str, tensors: int, store: str, device: str) -> float:
    """Milliseconds of the first step of a fresh process."""
    code = FIRST.format(name=name, tensors=tensors, device=device)
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "XDG_CACHE_HOME": store}, capture_output=True, text=True, check=True
    )
    return float(done.stdout) * 1e3


def first_steps(device: str) -> dict[str, tuple[float, float]]:
    """Prints and returns every rule's first step with 160 tensors, and Adam's with 1000: cold, warm."""
    print("first step of a fresh process, ms: with an empty store of kernels, with a filled one")
    found = {}
    for name, tensors in [*((name, 160) for name in RULES), ("Adam", 1000)]:
        with tempfile.TemporaryDirectory() as store:
            cold, warm = (first_step(name, tensors, store, device) for _ in range(2))
        found[f"{name}, {tensors} tensors"] = cold, warm
        print(f"{name:18}{tensors:5} tensors{cold:10.1f}{warm:10.1f}", flush=True)
    print()
    return found


def number(value: float | None, width: int = 9, sign: str = "x") -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width - len(sign)}.2f}{sign}"


def table(size: str, device: str, measured: Measured) -> None:
    """Prints every rule at one size, and adds its figures to `measured`."""
    memory, graph, small = Memory((SIZES | ON_A_GPU)[size], device), size in ON_A_GPU, "0.33 M" in size
    rounds = ROUNDS[size] if device == "cpu" else ROUNDS_ON_A_GPU
    print(f"{size} tensors, float32; ms, least and median of {rounds} rounds; ratios are torch's time over ours")
    print(f"{'rule':18}{'ours':>18}{'torch best':>27}{'torch default':>18}{'best/ours':>10}{'by least':>9}{'copy GB/s':>10}"
          f"{'of copy':>8}" + (f"{'foreach':>9}{'fused Adam':>11}" if small else ""))  # fmt: skip
    for name in RULES:
        if states(name) > 8 and device != "cpu":
            print(f"{name:18}  (left out: {states(name)} states, which no fused step serves there)")
            continue
        calls = steps(name, memory, graph, fused_adam=small and not graph)
        times = interleaved(calls, rounds, ROW.get(size, 1), SECONDS.get(size, 60.0), device)
        f = figures(name, times)
        measured[size, name] = f
        line = f"{name:18}{shown(times['ours'])}"
        line += f"{shown(times[f.best])} {f.best:8}{shown(times['default'])}" if f.best else f"{'-':>18}{'':9}{'-':>18}"
        least = min(times[f.best]) / min(times["ours"]) if f.best else None
        line += f"{number(over_best(f), 10)}{number(least)}{8 * memory.elements / min(times['copy']) / 1e6:10.1f}{f.of_copy:8.2f}"
        line += f"{number(f.over.get('foreach'))}{number(f.over.get(FUSED_ADAM), 11)}" if small else ""
        print(line, flush=True)
        del calls
        gc.collect()
        if device != "cpu":
            torch.cuda.empty_cache()
    print()


def main(device: str = "cpu") -> None:
    begin, told = time.perf_counter(), environment()
    print("; ".join(f"{k} {told[k]}" for k in ("date", "slalom", "torch", "python", "processor", "cores", "threads")))
    print("load when it began, over 1, 5, 15 minutes: " + " ".join(f"{x:.2f}" for x in os.getloadavg()) + "\n")
    if device != "cpu":
        print(described(device) + "\n")
    measured: Measured = {}
    for size in SIZES if device == "cpu" else SIZES | ON_A_GPU:
        table(size, device, measured)
    first = first_steps(device)
    if device == "cpu":
        print_bars(measured, first)
    loads = " ".join(f"{x:.2f}" for x in os.getloadavg())
    print(f"it took {(time.perf_counter() - begin) / 60:.1f} minutes; load at the end {loads}")
