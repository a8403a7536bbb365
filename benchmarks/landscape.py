"""Landscapes: a 51 x 51 slice of digits MLPs (bar: 1 s), runs over surfaces, sharpness; one thread.

Least of interleaved rounds, by the wall and by the process's own time, which other work on the machine disturbs least.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import torch

import slalom
from slalom.data import load
from slalom.landscape.networks import loss_slice, sharpness
from slalom.nets import build

ROUNDS = 3


def main() -> None:
    """Prints the table."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _run()
    finally:
        torch.set_num_threads(threads)


def _run() -> None:
    digits = load("digits")
    nets = {}
    for spec in ("mlp:32", "mlp:64,32", None):
        factory = build(spec, digits)
        torch.manual_seed(0)
        nets[factory.name] = factory()
    cases: dict[str, Callable[[], Any]] = {
        f"slice 51 x 51, {name}, all {len(digits.train)} rows": lambda net=net: loss_slice(net, digits, planes=1)  # type: ignore[misc]
        for name, net in nets.items()
    }
    first = next(iter(nets.values()))
    cases["sharpness of the first, 64 probes"] = lambda: sharpness(first, digits)
    cases["beale, 7 rules, 300 steps"] = lambda: slalom.landscape("beale")
    cases["beale, 7 rules x 29 lrs, 300 steps"] = lambda: slalom.landscape("beale", lr="tuned")
    best = {name: [float("inf")] * 2 for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            wall, own = time.perf_counter(), time.process_time()
            case()
            found = (time.perf_counter() - wall, time.process_time() - own)
            best[name] = [min(a, b) for a, b in zip(best[name], found, strict=True)]
    print(
        f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, torch {torch.__version__}, one thread, "
        f"least of {ROUNDS} interleaved rounds, load {os.getloadavg()[0]:.1f}"
    )
    print(f"{'case':<56}{'wall s':>9}{'own s':>9}")
    for name, (wall, own) in best.items():
        print(f"{name:<56}{wall:>9.2f}{own:>9.2f}")
