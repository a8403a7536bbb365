"""A made-up race as a stream of events, deterministic, with the shapes of a real one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from slalom.race.events import EpochDone, Event, LaneRetired, LanesAdded, Note, RaceDone, RaceStarted

DIGITS = {"name": "digits", "task": "classification", "train": 1078, "val": 359, "test": 360}


def started(rules: list[str], lanes: int, epochs: int, **more: object) -> RaceStarted:
    """The first event."""
    fields: dict[str, object] = {
        "directory": "runs/x", "model": "mlp:64,64:relu", "data": DIGITS, "rules": rules, "lanes": lanes, "epochs": epochs,
        "steps_per_epoch": 17, "metric": "accuracy", "higher_is_better": True,
    }  # fmt: skip
    return RaceStarted(**{**fields, **more})  # type: ignore[arg-type]


def epoch(number: int, epochs: int, lanes: list[int], metric: list[float], heat: int = 0, seconds: float = 0.5) -> EpochDone:
    """One epoch whose losses are one minus the metric."""
    loss = [1 - m for m in metric]
    return EpochDone(heat, number, epochs, lanes, loss, list(loss), metric, seconds)


def grid(middle: float, n: int) -> list[float]:
    """`n` learning rates a quarter decade apart."""
    return [middle * 10 ** ((i - n // 2) / 4) for i in range(n)]


def race(rules: dict[str, float], lrs: int = 9, seeds: int = 3, epochs: int = 20) -> Iterator[Event]:
    """Each rule is best at its middle; its largest learning rate diverges at the second epoch; one heat."""
    names = list(rules)
    yield started(names, len(names) * lrs * seeds, epochs)
    yield Note("digits: scaled by the training part's mean and standard deviation")
    lanes: list[tuple[str, float, int, float]] = []
    for place, (rule, middle) in enumerate(rules.items()):
        yield LanesAdded(rule, grid(middle, lrs), list(range(len(lanes), len(lanes) + lrs * seeds)))
        for i, lr in enumerate(grid(middle, lrs)):
            top = 0.98 - 0.004 * place - 0.02 * (i - lrs // 2) ** 2
            lanes += [(rule, lr, seed, top + 0.003 * (seed - 1)) for seed in range(seeds)]
    dead: set[int] = set()
    for e in range(1, epochs + 1):
        reach = 1 - math.exp(-4 * e / epochs)
        metric = [math.nan if k in dead else lane[3] * reach for k, lane in enumerate(lanes)]
        if e == 2:
            for k, (rule, lr, seed, _) in enumerate(lanes):
                if lr == max(grid(rules[rule], lrs)):
                    dead.add(k)
                    metric[k] = math.nan
                    yield LaneRetired(k, rule, lr, seed, 20, 19, "loss is not finite")
        yield epoch(e, epochs, list(range(len(lanes))), metric)
    yield RaceDone(0.5 * epochs, len(lanes), len(dead))


@pytest.fixture
def made_up() -> SimpleNamespace:
    """The makers of events above."""
    return SimpleNamespace(started=started, epoch=epoch, grid=grid, race=race)
