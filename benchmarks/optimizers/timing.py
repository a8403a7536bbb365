"""Times of several calls taken in turn, and what can be said of two of them on a machine that is not quiet."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.clock import milliseconds

Times = dict[str, list[float]]  # milliseconds by round


def interleaved(calls: Mapping[str, Callable[[], Any]], rounds: int, row: int, seconds: float, device: str) -> Times:
    """Every call in every round, the order turned by one from round to round.

    `row` calls are timed together, after an untimed one where there are several. Stops early, after at least three rounds,
    when `seconds` have passed.
    """
    names = list(calls)
    times: Times = {k: [] for k in calls}
    for call in calls.values():
        call()
        call()
    gc.collect()
    gc.disable()
    try:
        begin = time.perf_counter()
        for k in range(rounds):
            if k >= 3 and time.perf_counter() - begin > seconds:
                break
            turn = k % len(names)
            for name in names[turn:] + names[:turn]:
                if row > 1:
                    calls[name]()
                times[name].append(milliseconds(calls[name], row, device))
    finally:
        gc.enable()
    return times


def median(times: list[float]) -> float:
    return statistics.median(times)


def ratio(above: list[float], below: list[float]) -> float:
    """The median over the rounds of one time over the other: both met the same load."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def shown(times: list[float]) -> str:
    """Least and median."""
    return f"{min(times):9.3f}{median(times):9.3f}"
