"""What issue 3 asks of the figures, each bar as PASS or MISS."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.optimizers.paths import FUSED_ADAM, PATHS, states
from benchmarks.optimizers.timing import Times, median, ratio

MANY = ("Adadelta", "RMSprop", "Adamax", "NAdam", "RAdam")  # rules for which torch has no fused path
LARGE, SMALL = ("16.8 M in 32", "64 M in 1"), "0.33 M in 160, in a row"


class Figures(NamedTuple):
    """One rule at one size, from rounds in which everything was timed in turn; None where torch has no such path."""

    of_copy: float
    over: dict[str, float]  # torch's time over ours, by path
    best: str | None  # torch's path with the least median


def figures(name: str, times: Times) -> Figures:
    """The ratios of a rule's times."""
    paths = [k for k in times if k in PATHS]
    best = min(paths, key=lambda k: median(times[k]), default=None)
    moved = (12 + 8 * states(name)) / 8  # bytes that a step must move, over those of a copy
    over = {k: ratio(times[k], times["ours"]) for k in [*paths, *([FUSED_ADAM] if FUSED_ADAM in times else [])]}
    return Figures(moved * ratio(times["copy"], times["ours"]), over, best)


def over_best(f: Figures) -> float | None:
    """torch's best time over ours."""
    return None if f.best is None else f.over[f.best]


Measured = dict[tuple[str, str], Figures]  # by size and rule


def judge(title: str, least: float, found: dict[str, float | None]) -> None:
    """Prints one bar: how many reach it, and by how much the others miss it."""
    told = {k: v for k, v in found.items() if v is not None}
    if not told:
        print(f"----  {title}: not measured")
        return
    missed = {k: v for k, v in told.items() if v < least}
    word = "PASS" if not missed else "MISS"
    short = "" if not missed else "; short: " + ", ".join(f"{k} {v:.2f}" for k, v in missed.items())
    print(f"{word}  {title}: {len(told) - len(missed)} of {len(told)}, least {min(told.values()):.2f}{short}")


def print_bars(measured: Measured, first: dict[str, tuple[float, float]]) -> None:
    """Every bar of the processor; `first`: milliseconds of the first step, cold and warm."""

    def at(size: str, read: Callable[[Figures], float | None], only: tuple[str, ...] = ()) -> dict[str, float | None]:
        return {rule: read(f) for (where, rule), f in measured.items() if where == size and (not only or rule in only)}

    for size in LARGE:
        judge(f"{size}: at least 0.9 of a copy's bandwidth", 0.9, at(size, lambda f: f.of_copy))
    for size in dict.fromkeys(where for where, _ in measured):
        judge(f"{size}: torch's best over ours at least 0.95 (never slower than 1.05x)", 1 / 1.05, at(size, over_best))
    for size in LARGE:
        judge(f"{size}: at least 4x over torch's best, where torch has no fused path", 4, at(size, over_best, MANY))
    judge(f"{SMALL}: at least 3x over torch's fused Adam", 3, at(SMALL, lambda f: f.over.get(FUSED_ADAM)))
    judge(f"{SMALL}: at least 10x over torch's foreach", 10, at(SMALL, lambda f: f.over.get("foreach")))
    judge("first step with an empty store: 1 s over it at least 1", 1, {k: 1e3 / cold for k, (cold, _) in first.items()})
    judge("first step with a filled store: 0.1 s over it at least 1", 1, {k: 1e2 / warm for k, (_, warm) in first.items()})
