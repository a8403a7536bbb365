"""A step along sparse gradients on the CPU: a table of 1 M x 64 float32, 4096 looked-up rows a step, some of them twice.

Rows are drawn at random, or as words are in text: row k with probability about 1/k. Median milliseconds over interleaved repeats,
with the quartiles' distance as the spread, and the least time; "cpu" is the median of the process's own processor time, which
other work on the machine disturbs least. "dense-equivalent" is measured where it stands in a long run: at random, after every row
has had a gradient and 244 more steps (V/n, the mean time between two touches of a row); as in text, after 100 such steps.
"missed": steps that were replayed for a touched row, on average. A dense step of the same rule, with a dense gradient, moves all
rows.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

import slalom.optim
from slalom.race.environment import environment

V, W, N = 1_000_000, 64, 4096
REPEATS, DENSE_REPEATS, WARM = 15, 3, 100
TWINS: dict[str, tuple[str, dict[str, Any]]] = {"Adam": ("SparseAdam", {}), "SGD": ("SGD", {}), "Adagrad": ("Adagrad", {})}
CASES: list[tuple[str, dict[str, Any]]] = [("Adam", {}), ("SGD", {}), ("Adagrad", {}), ("SGD", {"momentum": 0.9}), ("AdamW", {})]


def rows(kind: str, generator: torch.Generator) -> torch.Tensor:
    """The rows of one step."""
    if kind == "random":
        return torch.randint(0, V, (N,), generator=generator)
    share = torch.rand(N, generator=generator, dtype=torch.float64)
    return (float(V) ** share).long().clamp_max(V) - 1  # P(row < k) = log(k) / log(V)


def gradient(at: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """As a layer's backward pass gives it: not coalesced."""
    return torch.sparse_coo_tensor(at[None], values, (V, W), check_invariants=False)


def gradients(kind: str, count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [gradient(rows(kind, generator), torch.randn(N, W, generator=generator)) for _ in range(count)]


def settle(optimizer: Any, table: torch.nn.Parameter, kind: str) -> None:
    """Brings a dense-equivalent run to where it stands after many steps."""
    if kind == "random":
        table.grad = gradient(torch.arange(V), torch.ones(V, W))
        optimizer.step()
        nothing = gradient(torch.empty(0, dtype=torch.int64), torch.empty(0, W))
        for _ in range(V // N):
            table.grad = nothing
            optimizer.step()
    else:
        for g in gradients(kind, WARM):
            table.grad = g
            optimizer.step()


def timed(step: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds of one call: on the wall's clock, and of processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    step()
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3


def summary(found: list[tuple[float, float]]) -> str:
    times, cpu = zip(*found, strict=True)
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return f"{middle:9.2f} ± {high - low:6.2f}{min(times):10.2f}{statistics.median(cpu):10.2f}"


def measure(name: str, given: dict[str, Any], kind: str) -> None:
    """Prints one rule with rows drawn in one way."""
    cls = getattr(slalom.optim, name)
    makers: dict[str, Callable[[Any], Any]] = {"lazy": lambda p: cls([p], sparse="lazy", **given)}
    makers["dense-equivalent"] = lambda p: cls([p], sparse="dense-equivalent", **given)
    twin, more = TWINS.get(name, ("", {}))
    if twin and not given:
        makers[f"torch {twin}"] = lambda p: getattr(torch.optim, twin)([p], **more)
    tables = {k: torch.nn.Parameter(torch.ones(V, W)) for k in makers}
    optimizers = {k: make(tables[k]) for k, make in makers.items()}
    settle(optimizers["dense-equivalent"], tables["dense-equivalent"], kind)
    times: dict[str, list[tuple[float, float]]] = {k: [] for k in makers}
    missed = []
    for g in gradients(kind, REPEATS + 2):
        behind = optimizers["dense-equivalent"]._behind[tables["dense-equivalent"]]
        seen = behind.seen[g.coalesce().indices()[0]]
        missed.append(float((behind.journal.end - seen)[seen >= 0].sum()) / len(seen))
        for k, optimizer in optimizers.items():
            tables[k].grad = g
            times[k].append(timed(optimizer.step))
    label = name + "".join(f", {k} {v:g}" for k, v in given.items())
    for k, found in times.items():
        note = f"{statistics.mean(missed[2:]):10.1f}" if k == "dense-equivalent" else ""
        print(f"{label:20}{kind:8}{k:18}{summary(found[2:])}{note}", flush=True)


def dense(name: str, given: dict[str, Any]) -> None:
    """Prints our step along a dense gradient."""
    table = torch.nn.Parameter(torch.ones(V, W))
    table.grad = torch.ones(V, W)
    optimizer = getattr(slalom.optim, name)([table], **given)
    times = [timed(optimizer.step) for _ in range(DENSE_REPEATS + 1)]
    label = name + "".join(f", {k} {v:g}" for k, v in given.items())
    print(f"{label:20}{'all':8}{'dense':18}{summary(times[1:])}", flush=True)


def main() -> None:
    told = environment()
    print("; ".join(f"{k} {told[k]}" for k in ("date", "slalom", "torch", "python", "processor", "cores", "threads")))
    print("load when it began, over 1, 5, 15 minutes: " + " ".join(f"{x:.2f}" for x in os.getloadavg()) + "\n")
    print(f"table {V} x {W}, float32; {N} rows a step; ms, median ± quartile distance, and least, of {REPEATS} interleaved steps")
    print(f"{'rule':20}{'rows':8}{'':18}{'median ± spread':>18}{'least':>10}{'cpu':>10}{'missed':>10}")
    torch.sparse.check_sparse_tensor_invariants.disable()
    for name, given in CASES:
        for kind in ("random", "text"):
            measure(name, given, kind)
            gc.collect()
        dense(name, given)
