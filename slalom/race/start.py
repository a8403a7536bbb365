"""Start a race, go on with one, read one."""

from __future__ import annotations

import os
from typing import Any

from slalom.race.environment import environment
from slalom.race.heat import HeatRecord
from slalom.race.outcome import RaceResult
from slalom.race.prepare import Prepared, prepare_again
from slalom.race.runner import OnEvent, Runner, journal_seconds
from slalom.race.store import Store


def start(prepared: Prepared, directory: str | os.PathLike[str] | None, on_event: OnEvent | None) -> RaceResult:
    """Run a prepared race, in memory or into a new directory."""
    facts = environment()
    store = None if directory is None else Store(directory)
    if store is not None:
        store.create(prepared.plan, facts)
    try:
        runner = Runner(prepared.plan, prepared.parts, store, on_event)
        heats = runner.run(prepared.notes)
    finally:
        if store is not None:
            store.close()
    return RaceResult(prepared.plan, facts, heats, runner.notes, store, runner.seconds)


def go_on(
    directory: str | os.PathLike[str], model: Any, data: Any, schedule: Any, loss: Any, metric: Any, augment: Any,
    on_event: OnEvent | None,
) -> RaceResult:  # fmt: skip
    """Resume: finished heats are read, the heat under way goes on from its checkpoint."""
    store = Store(directory)
    plan = store.plan()
    prepared = prepare_again(plan, model, data, schedule, loss, metric, augment)
    store.lock()
    try:
        store.clean()
        store.cut_torn_tail()
        runner = Runner(plan, prepared.parts, store, on_event, resuming=True)
        heats = runner.run(plan.notes)
    finally:
        store.close()
    return RaceResult(plan, store.environment(), heats, store.notes(), store, runner.seconds)


def read(directory: str | os.PathLike[str]) -> RaceResult:
    """Finished heats as they are; the lanes of the heat under way as unfinished."""
    store = Store(directory)
    plan = store.plan()
    heats: list[HeatRecord] = []
    while (record := store.read_heat(len(heats))) is not None:
        heats.append(record)
    under_way = store.read_under_way(len(heats), plan)
    if under_way is not None:
        heats.append(under_way)
    return RaceResult(plan, store.environment(), heats, store.notes(), store, journal_seconds(store.journal()))
