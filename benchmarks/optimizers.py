"""Every optimizer's step on one device: ours, torch's best and torch's default path, against the device's copy bandwidth.

`python -m benchmarks optimizers` measures the processor, `--device cuda` a GPU, on which times are taken between two events of
the stream, and steps are also captured into a CUDA graph ("in a graph": torch's with capturable=True, where it has that).

For each rule and each size: median milliseconds of a step over interleaved repeats, with the quartiles' distance as the spread.
Bytes are the least a step can move: parameter read and written, gradient read, each state read and written, which is 12 + 8 a
state per float32 element; "of copy" is that rate over the one of `copy_` between two tensors of the same number of elements,
measured among the same repeats. "By least" compares the least times, which a busy machine disturbs less. "In a row" times twenty
steps at once: between single interleaved steps the others' memory passes through the caches. Then the first step's time, with an
empty and with a filled store of compiled kernels, in processes of their own.
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import torch

import slalom.optim
from benchmarks.clock import described, in_a_graph, milliseconds
from slalom.race.environment import environment

SMALL = [2_064] * 160
SIZES = {"16.8 M in 32": [524_288] * 32, "0.33 M in 160": SMALL, "0.33 M in 160, in a row": SMALL, "64 M in 1": [64_000_000]}
REPEATS = {"16.8 M in 32": 7, "0.33 M in 160": 60, "0.33 M in 160, in a row": 15, "64 M in 1": 3}
ON_A_GPU = {"16.8 M in 32, in a graph": SIZES["16.8 M in 32"], "0.33 M in 160, in a graph": SMALL}
REPEATS_ON_A_GPU = 50
ROW = {"0.33 M in 160, in a row": 20}  # steps at a time: nothing else has passed through the caches since the one before
RULES = [n for n in slalom.optim.__all__ if isinstance(c := getattr(slalom.optim, n), type) and hasattr(c, "rule")]
TWIN_OF = {"Momentum": ("SGD", {"momentum": 0.9}), "NAG": ("SGD", {"momentum": 0.9, "nesterov": True})}
PATHS: dict[str, dict[str, Any]] = {"default": {}, "foreach": {"foreach": True}, "fused": {"fused": True}}  # default: loop
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


def parameters(sizes: list[int], device: str) -> list[torch.nn.Parameter]:
    """Parameters with gradients, all memory touched."""
    made = [torch.nn.Parameter(torch.rand(n, device=device)) for n in sizes]
    for p in made:
        p.grad = torch.rand_like(p)
    return made


def steppers(name: str, sizes: list[int], device: str, graph: bool) -> dict[str, Callable[[], Any]]:
    """Ours and torch's paths, on the same parameters, each with its own states; paths that torch does not have are left out."""
    params = parameters(sizes, device)
    ours = getattr(slalom.optim, name)(params).step
    made: dict[str, Callable[[], Any]] = {"ours": in_a_graph(ours) if graph else ours}
    twin, options = TWIN_OF.get(name, (name, {}))
    cls = getattr(torch.optim, twin, None)
    for path, how in PATHS.items() if cls is not None else ():
        try:
            step = cls(params, **options, **how, **({"capturable": True} if graph else {})).step
            made[path] = in_a_graph(step) if graph else step
        except (TypeError, RuntimeError):
            continue
    return made


def states(name: str) -> int:
    """How many states as large as the parameter the rule keeps under its defaults."""
    settings = getattr(slalom.optim, name).rule()
    return sum(settings.options[s.window] if s.window else 1 for s in settings.states.values() if not s.scalar)


def repeats(size: str, device: str) -> int:
    """How often a step of that size is timed."""
    return REPEATS[size] if device == "cpu" else REPEATS_ON_A_GPU


def measure(name: str, size: str, device: str) -> dict[str, tuple[float, float, float]]:
    """Median, spread and least, in ms, of ours, each of torch's paths and a copy."""
    sizes = (SIZES | ON_A_GPU)[size]
    run = steppers(name, sizes, device, size in ON_A_GPU)
    source, target = torch.rand(sum(sizes), device=device), torch.zeros(sum(sizes), device=device)
    run["copy"] = lambda: target.copy_(source)
    for call in run.values():
        call()
        call()
    times: dict[str, list[float]] = {k: [] for k in run}
    row = ROW.get(size, 1)
    for _ in range(repeats(size, device)):
        for k, call in run.items():
            times[k].append(milliseconds(call, row, device))
    found = {}
    for k, seconds in times.items():
        low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
        found[k] = (middle, high - low, min(seconds))
    return found


def first_step(name: str, tensors: int, store: str, device: str) -> float:
    """Milliseconds of the first step of a fresh process."""
    code = FIRST.format(name=name, tensors=tensors, device=device)
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "XDG_CACHE_HOME": store}, capture_output=True, text=True, check=True
    )
    return float(done.stdout) * 1e3


def shown(times: tuple[float, float, float]) -> str:
    return f"{times[0]:.3f} ± {times[1]:.3f}"


def table(size: str, device: str) -> None:
    """Prints every rule at one size."""
    print(f"{size} tensors, float32; ms, median ± quartile distance of {repeats(size, device)} interleaved steps")
    head = f"{'rule':18}{'ours':>18}{'torch best':>27}{'torch default':>19}"
    print(f"{head}{'best/ours':>11}{'by least':>10}{'copy GB/s':>11}{'of copy':>9}")
    for name in RULES:
        if states(name) > 8 and (size in ON_A_GPU or sum(SIZES[size]) > 1e6):
            print(f"{name:18}  (left out: {states(name)} states, eager path)")
            continue
        found = measure(name, size, device)
        elements = sum((SIZES | ON_A_GPU)[size])
        copy = 8 * elements / found["copy"][0] / 1e6
        rate = (12 + 8 * states(name)) * elements / found["ours"][0] / 1e6
        paths = {k: v for k, v in found.items() if k in PATHS}
        best = min(paths, key=lambda k: paths[k][0], default=None)
        line = f"{name:18}{shown(found['ours']):>18}"
        line += f"{shown(paths[best]):>19} {best:7}{shown(paths['default']):>19}" if best else f"{'-':>19}{'':8}{'-':>19}"
        ratio = f"{'-':>11}{'-':>10}"
        if best:
            least = min(v[2] for v in paths.values())
            ratio = f"{paths[best][0] / found['ours'][0]:10.2f}x{least / found['ours'][2]:9.2f}x"
        print(f"{line}{ratio}{copy:11.1f}{rate / copy:9.2f}", flush=True)
        gc.collect()
        if device != "cpu":
            torch.cuda.empty_cache()
    print()


def main(device: str = "cpu") -> None:
    told = environment()
    print("; ".join(f"{k} {told[k]}" for k in ("date", "slalom", "torch", "python", "processor", "cores", "threads")))
    print("load when it began, over 1, 5, 15 minutes: " + " ".join(f"{x:.2f}" for x in os.getloadavg()) + "\n")
    if device != "cpu":
        print(described(device) + "\n")
    for size in SIZES if device == "cpu" else SIZES | ON_A_GPU:
        table(size, device)
    print("first step of a fresh process, 160 tensors, ms: with an empty store of kernels, with a filled one")
    for name in RULES:
        with tempfile.TemporaryDirectory() as store:
            times = [first_step(name, 160, store, device) for _ in range(2)]
        print(f"{name:18}" + "".join(f"{t:10.1f}" for t in times), flush=True)
