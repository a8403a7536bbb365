"""What a person should hear before trusting the winner."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slalom.race.leaderboard import paired
from slalom.tune.history import History

PER_PARAMETER = 5  # trials for each parameter, below which a search has hardly looked
LATE = 0.8  # a best trial found in the last fifth of the search may not be the last to be found


def edges(history: History, config: dict[str, Any]) -> list[str]:
    """The winner's parameters that sit at an end of their range."""
    out = []
    for name, param in history.space.params.items():
        end = param.edge(config[name]) if name in config else None
        low = getattr(param, "low", None)
        bottom = end == "low" and (low == 0 or (low == 1 and param.kind == "int"))  # there is nothing below to widen to
        if end is not None and not bottom:
            low_high = f"[{getattr(param, 'low', '')}, {getattr(param, 'high', '')}]"
            out.append(f"{name}={config[name]:.4g} of the winner is at the {end} end of {low_high}; widen it there")
    return out


def warnings_of(history: History, winner: int | None, samples: int | None, higher: bool) -> list[str]:
    """Edges, a budget too small to tell, finalists that cannot be told apart, trials that diverged."""
    out: list[str] = []
    trials, told = history.trials, history.told()
    if winner is not None:
        out += edges(history, trials[winner].config)
        if len(told) >= 10 and winner >= LATE * len(trials):
            out.append(f"the winner is trial {winner} of {len(trials)}: found late, so more trials may find better")
    if len(told) < PER_PARAMETER * len(history.space):
        out.append(
            f"{len(told)} trials for {len(history.space)} parameters are few; {PER_PARAMETER} for each or more tell better"
        )
    finished = sum(t.state == "finished" for t in told)
    if told and not finished:
        out.append("no trial ran to its end; the budget is too small for the epochs asked for")
    diverged = sum(t.state == "diverged" for t in told)
    if diverged > len(told) / 4:
        out.append(f"{diverged} of {len(told)} trials diverged; the space reaches too far, most likely in lr")
    out += _ties(history, samples, higher)
    return out


def _ties(history: History, samples: int | None, higher: bool) -> list[str]:
    if history.confirmed is None:
        return []
    sign = 1.0 if higher else -1.0
    runs = {
        f["number"]: {s: sign * float(v) for s, v in zip(f["seeds"], f["val_metric"], strict=True) if math.isfinite(float(v))}
        for f in history.confirmed["finalists"]
    }
    winner = history.confirmed["winner"]
    others = {n: r for n, r in runs.items() if n != winner}
    tied = [n for n, r in others.items() if r.keys() & runs[winner].keys() and paired(runs[winner], r, samples).tied(len(others))]
    if not tied:
        return []
    named = ", ".join(map(str, tied))
    mean = float(np.mean(list(runs[winner].values())))
    return [
        f"trial {winner} cannot be told from {named} over {len(runs[winner])} fresh seeds (validation mean {sign * mean:.4g})"
    ]
