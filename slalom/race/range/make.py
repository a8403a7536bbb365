"""From what a method saw to a result: suggestion, interval, phases, curve, advice."""

from __future__ import annotations

import math

import numpy as np

from slalom.race.range.alike import alike
from slalom.race.range.allocation import Spent
from slalom.race.range.chart import rate
from slalom.race.range.curve import Phases, centred, phases
from slalom.race.range.heats import Floats, Subject
from slalom.race.range.pick import Profile, interval
from slalom.race.range.result import RangeResult, points
from slalom.race.range.suggest import RULES
from slalom.race.range.sweep import WINDOW, Swept

DEFAULT_RULE = "steepest"
FAR = 3.0  # times the default rate from which the advice speaks of it
TAIL = 0.3


def from_search(subject: Subject, spent: Spent, *, staged: bool) -> RangeResult:
    """A lanes result."""
    board = spent.board
    rungs = sorted(board.looks)
    levels = np.array([np.median(board.looks[r].level(TAIL)) for r in rungs])
    lrs = np.array([board.lr(r) for r in rungs])
    seen = phases(lrs, alike(board, rungs, TAIL), spent.initial)
    found = bool(np.isfinite(levels).any()) and spent.falls
    suggestion, span = None, None
    if found:
        x = spent.profile.place()
        suggestion = _three_digits(10.0**x)
        # All that ran beyond the first look can tell how flat the curve is.
        longest = max(len(board.looks[r].losses) for r in spent.last)
        known = [r for r in rungs if len(board.looks[r].losses) > longest / 4 or r in spent.last] if staged else rungs
        near = Profile(
            np.log10([board.lr(r) for r in known]), levels[[rungs.index(r) for r in known]], spent.initial
        )  # fmt: skip
        a, b = interval(x, near)
        span = (10.0**a, 10.0**b)
    steps = [len(board.looks[r].losses) for r in rungs]
    curve = points(
        lrs.tolist(), [board.looks[r].level(TAIL).tolist() for r in rungs], steps, levels.tolist(), seen
    )  # fmt: skip
    notes = list(subject.notes)
    if spent.widened:
        notes.append(f"the least loss was at the grid's edge; it was widened {spent.widened} time{'s' * (spent.widened > 1)}")
    best = float(lrs[int(np.argmin(levels))]) if found else None
    at_edge = found and int(np.argmin(levels)) in (0, len(lrs) - 1)
    return RangeResult(
        "lanes", subject.name, suggestion, span, seen, curve, {"lanes": suggestion, "least loss": best},
        _advice(subject, suggestion, seen, at_edge), spent.initial, board.cost, notes=notes,
    )  # fmt: skip


def from_sweep(subject: Subject, seen: Swept, method: str, by: str) -> RangeResult:
    """The result of a one-pass method."""
    middle = np.median(seen.losses, axis=1)
    # Up to where half of the seeds have diverged; smoothed where there are enough points.
    n = int(np.argmax(~np.isfinite(middle))) if not np.isfinite(middle).all() else len(middle)
    width = round(WINDOW * len(seen.lrs)) if method == "sweep" else 0
    smooth: Floats = np.full(len(middle), np.inf)
    smooth[:n] = centred(middle[:n], width)
    initial = float(middle[: max(1, width)].mean()) if n else math.inf
    cut = phases(seen.lrs, smooth, initial) if n else Phases(None, None)
    named = {name: rule(seen.lrs[:n], smooth[:n]) if n > 1 else None for name, rule in RULES.items()}
    named = {name: None if lr is None else _three_digits(lr) for name, lr in named.items()}
    suggestion = named[DEFAULT_RULE]
    notes = list(subject.notes)
    if n < len(middle):
        notes.append(f"stopped at lr {rate(float(seen.lrs[n]))}, where training diverged")
    each = [1 if method == "sweep" else subject.per_epoch] * len(middle)
    curve = points(seen.lrs.tolist(), seen.losses.tolist(), each, smooth.tolist(), cut)
    at_edge = n == len(middle) and int(np.argmin(smooth)) == n - 1
    advice = _advice(subject, suggestion, cut, at_edge)
    if suggestion is not None:
        advice += " A one-pass test is a cheap preview; method='lanes' is right more often."
    return RangeResult(method, subject.name, suggestion, None, cut, curve, named, advice, initial, seen.cost, by, notes)


def _three_digits(lr: float) -> float:
    return float(f"{lr:.3g}")


def _advice(subject: Subject, suggestion: float | None, seen: Phases, at_edge: bool) -> str:
    if suggestion is None:
        return (
            "No learning rate lowered the loss: look at the data, the loss and the initialisation first, or at whether the model "
            "is trained already."
        )
    text = f"Train with lr = {rate(suggestion)}"
    default = subject.default_lr
    if default and not 1 / FAR < suggestion / default < FAR:
        ratio = suggestion / default
        text += (
            f" ({ratio:.3g} times the default {rate(default)})"
            if ratio > 1
            else f" (1/{1 / ratio:.3g} of the default {rate(default)})"
        )
    if seen.diverging_from is not None:
        room = seen.diverging_from / suggestion
        text += f"; training diverges from {rate(seen.diverging_from)}, {rate(room)} times as high" if room > 1 else ""
    text += "."
    if at_edge:
        text += " The best is the last of the rates tried: try beyond it."
    return text
