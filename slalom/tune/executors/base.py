"""The contract between the driver, which owns the sampler and the journal, and those that train for it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from slalom.tune.training.group import Group, GroupRun, Standing
from slalom.tune.training.problem import Problem


@dataclass(frozen=True)
class Job:
    """A group's way to an epoch. `state`: where it stands (None: at its start); `keep`: the members that go on.

    `wants_state`: whether what it comes to is needed outside the worker: for a checkpoint, or another worker.
    """

    batch: int
    group: int
    members: Group
    keep: tuple[int, ...]
    start: int
    until: int
    state: dict[str, Any] | None = None
    wants_state: bool = False

    @property
    def key(self) -> tuple[int, int]:
        return self.batch, self.group


@dataclass(frozen=True)
class Finished:
    """A job that is over: standings of its members, or the `error` that ended its worker."""

    job: Job
    standings: list[Standing] = field(default_factory=list)
    state: dict[str, Any] | None = None
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Resources:
    """`workers`: jobs that run at a time. `shared`: whether they see the driver's memory, so that no state need travel."""

    workers: int
    shared: bool
    where: str


class Executor(Protocol):
    """Trains jobs. One whose worker died comes back with its error; the driver gives it out again from its last rung."""

    def submit(self, job: Job) -> None: ...

    def wait(self) -> list[Finished]:
        """At least one job that is over; [] where none is under way."""
        ...

    def cancel(self) -> None:
        """Stop what is under way and let go of the workers."""
        ...

    def resources(self) -> Resources: ...


class Worker:
    """Runs jobs one after another; keeps its groups in memory between rungs."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.held: dict[tuple[int, int], GroupRun] = {}
        self.stopping = threading.Event()

    def run(self, job: Job) -> Finished:
        """Train a group to an epoch."""
        begin = time.perf_counter()
        run = self.held.pop(job.key, None)
        if run is None or run.epoch != job.start:
            if job.state is not None:
                run = GroupRun.resumed(self.problem, job.members, job.state)
            else:
                run = GroupRun(self.problem, job.members)
        run.only(job.keep)
        standings = run.to(job.until, self.stopping.is_set)
        if job.until < self.problem.epochs:
            self.held[job.key] = run
        state = run.state_dict() if job.wants_state else None
        return Finished(job, standings, state, time.perf_counter() - begin)

    def forget(self, batch: int) -> None:
        """Let go of the groups of a batch that has ended."""
        self.held = {k: v for k, v in self.held.items() if k[0] != batch}
