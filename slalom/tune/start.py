"""Start a search, go on with one, read one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from slalom.core.errors import BadValueError, SlalomError
from slalom.race.environment import environment
from slalom.tune.driver import Driver, OnEvent, Parts
from slalom.tune.executors import Executor, executor_of
from slalom.tune.history import History
from slalom.tune.loggers.choose import Log, Together, loggers_of
from slalom.tune.prepare import prepare_again
from slalom.tune.protocol.confirm import confirm, near_equals
from slalom.tune.record import Record
from slalom.tune.result import TuneResult
from slalom.tune.space.space import Space


class NothingFinishedError(SlalomError):
    """No trial came to a rung without diverging."""


def start(
    parts: Parts, directory: str | os.PathLike[str] | None, executor: str | Executor, workers: int | None,
    enqueue: Sequence[Mapping[str, Any]], on_event: OnEvent | None, log: Log = None,
) -> TuneResult:  # fmt: skip
    """Run a prepared search, in memory or into a new directory."""
    if parts.plan.method == "manual" and not enqueue:
        raise BadValueError("method='manual' tries what enqueue= (--try) names and nothing else; name a configuration")
    watching = Together(loggers_of(log, directory), on_event)
    record = None if directory is None else Record(directory)
    history = History(parts.space)
    driver = Driver(parts, executor_of(executor, parts.problem, workers), history, record, watching)
    driver.enqueue(enqueue)
    if record is not None:
        record.create(parts.plan, environment())
    return _run(driver, parts, record, watching)


def go_on(
    directory: str | os.PathLike[str], given: Mapping[str, Any], executor: str | Executor, workers: int | None,
    on_event: OnEvent | None, log: Log = None,
) -> TuneResult:  # fmt: skip
    """Resume: what was told stays told, batches under way go on from their last rung."""
    record = Record(directory)
    plan = record.plan()
    parts = prepare_again(plan, given)
    watching = Together(loggers_of(log, directory), on_event)
    record.lock()
    try:
        record.clean()
        record.cut_torn_tail()
        history = History.of(parts.space, record.journal())
        record.tidy({number: at["rung"] for number, at in history.batches.items()})
    except BaseException:
        record.close()
        raise
    if history.tested is not None:
        record.close()
        return TuneResult(plan, parts.problem, history, record)
    driver = Driver(parts, executor_of(executor, parts.problem, workers), history, record, watching)
    return _run(driver, parts, record, watching)


def _run(driver: Driver, parts: Parts, record: Record | None, watching: Together) -> TuneResult:
    model: nn.Module | None = None
    stopped: KeyboardInterrupt | None = None
    try:
        driver.run()
        model = _protocol(driver, parts, record)
    except KeyboardInterrupt as error:
        if not driver.history.ranking():
            raise
        stopped = error
    finally:
        watching.close()
        if record is not None:
            record.close()
    return TuneResult(parts.plan, parts.problem, driver.history, record, model, stopped)


def _protocol(driver: Driver, parts: Parts, record: Record | None) -> nn.Module | None:
    """The end of a search: fresh seeds for the finalists, one look at the test part."""
    ranking = driver.history.ranking()
    if not ranking:
        raise NothingFinishedError("every trial diverged; give a space with lower learning rates")
    made = confirm(parts.problem, near_equals(ranking, parts.plan.finalists), parts.plan.seeds, lambda: driver.seconds)
    if record is not None:
        record.write_weights(made.model.state_dict())
    driver.tell(made.confirmed)
    driver.tell(made.tested)
    driver.tell(driver.ended())
    return made.model


def read(directory: str | os.PathLike[str], given: Mapping[str, Any]) -> TuneResult:
    """A run directory as it is; models need what the plan cannot build again."""
    record = Record(directory)
    plan = record.plan()
    history = History.of(Space(plan.space), record.journal())
    needed = [k for k in plan.callables if given.get(k) is None]
    parts = None if needed else prepare_again(plan, {k: v for k, v in given.items() if k in plan.callables})
    return TuneResult(plan, None if parts is None else parts.problem, history, record)
