"""The sentences and numbers of a figure, in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from slalom.race.results import LeaderRow


def format_lr(lr: float) -> str:
    """A learning rate in two significant digits, as short as it can be read.

    >>> [format_lr(lr) for lr in (0.00316, 1e-4, 0.0316, 1.0, 17.8, 0.0)]
    ['3.2e-3', '1e-4', '0.032', '1', '18', '0']
    """
    if not math.isfinite(lr) or lr == 0:
        return f"{lr:g}"
    lr = float(f"{lr:.1e}")
    if 0.01 <= abs(lr) < 1000:
        return f"{lr:g}"
    digits, exponent = f"{lr:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(exponent)}"


def list_names(names: Sequence[str], shown: int = 3) -> str:
    """Names as a phrase; beyond `shown`, the rest is counted.

    >>> list_names(["nadam", "radam", "lion"]), list_names(["nadam", "radam", "lion", "sgd", "nag"])
    ('nadam, radam and lion', 'nadam, radam and 3 others')
    """
    if len(names) > shown:
        first = list(names[: shown - 1])
        return f"{', '.join(first)} and {len(names) - len(first)} others"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def verdict_of(result: Any) -> str:
    """A race's verdict; of a comparison, its own sentence once every lane has ended."""
    lanes = result.lanes
    unfinished = sum(lane.status == "unfinished" for lane in lanes)
    if result.plan.get("compare") and not unfinished and lanes:
        sentence: str = result.comparison().sentence
        return sentence
    return verdict(list(result.leaderboard()), len({lane.rule for lane in lanes}), unfinished)


def verdict(rows: Sequence[LeaderRow], rules: int, unfinished: int = 0) -> str:
    """What the race found, in a sentence or two: who leads, who is tied, and what the reader must not conclude.

    `rows`: the leaderboard, best first. `rules`: how many rules ran, those without a finished lane included. `unfinished`:
    how many lanes still have epochs to run, in a race that was stopped.
    """
    finished = any(row.seeds for row in rows)
    rows = [row for row in rows if math.isfinite(row.test_metric) or math.isfinite(row.val_metric)]
    if unfinished:
        open_end = f"The race has not ended: {unfinished} {'lanes are' if unfinished > 1 else 'lane is'} unfinished"
        return f"{open_end}. So far, {verdict(rows, rules)}" if rows else f"{open_end}, so there is no leader yet."
    if not rows:
        return f"No lane {'that finished has a finite figure' if finished else 'finished'}, so there is no leader."
    leader, others = rows[0], rows[1:]
    seeds = f"{leader.seeds} seed" + ("s" if leader.seeds != 1 else "")
    every = "both" if len(others) == 2 else f"all {len(others)}"
    start = f"{leader.rule} at {format_lr(leader.lr)}"
    tied = [row.rule for row in others if row.tied]
    if not others:
        only = "did best" if rules == 1 else "is the only rule with a finished lane"
        text = f"{start} {only}, over {seeds}."
    elif leader.seeds < 2:
        text = f"{start} comes first, but with one seed a lead cannot be told from luck."
    elif not tied:
        text = f"{start} leads; no other rule is tied with it over {seeds}."
    elif len(tied) == len(others) and len(tied) > 1:
        text = f"{start} comes first, but {every} other rules are tied with it over {seeds}."
    else:
        text = f"{start} leads; {list_names(tied)} {'are' if len(tied) > 1 else 'is'} tied with it over {seeds}."
    if leader.at_edge:
        text += f" Its best learning rate is the last of its grid: {leader.rule} may do better beyond it."
    return text
