"""Training on a Ray cluster: one actor a worker (Ray Core, not Ray Tune, whose trial is a process).

Actors are not restarted by Ray and no task is retried by it: a dead worker's job comes back to the driver, which gives it out
again from its last rung. `slalom[ray]` installs it; nothing of it is loaded unless this executor is asked for. In a cluster that
is running (`ray start`, `RAY_ADDRESS`) it joins that one; else it starts one on this machine, and stops it in the end.
"""

from __future__ import annotations

import os
from collections import deque
from typing import Any

from slalom.core.checks import whole
from slalom.core.errors import MissingExtraError, SlalomError
from slalom.tune.executors.base import Finished, Job, Resources
from slalom.tune.executors.processes import packed
from slalom.tune.training.problem import Problem

STARTS = 20  # workers that may be lost before the cluster is given up
PATIENCE = 120.0  # seconds without a worker or a result


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("executor='ray' needs Ray: pip install 'slalom[ray]'") from error
    return ray


class _Actor:
    """What runs on a worker."""

    def __init__(self, problem: bytes, threads: int) -> None:
        import pickle

        import torch

        import slalom.rules  # noqa: F401  (fills the registry)
        from slalom.tune.executors.base import Worker

        torch.set_num_threads(threads)
        self.worker = Worker(pickle.loads(problem))  # from our own driver

    def run(self, job: Job) -> Finished:
        try:
            made = self.worker.run(job)
        except Exception as error:
            made = Finished(job, error=f"{type(error).__name__}: {error}")
        self.worker.forget(job.batch)
        return made

    def process(self) -> int:
        return os.getpid()


class Ray:
    """`workers` actors, each with one core (`cpus`); they are put where the cluster has room."""

    def __init__(self, problem: Problem, workers: int | None = None, cpus: float = 1.0) -> None:
        ray = self.ray = _ray()
        self.problem = packed(problem)
        self.own = not ray.is_initialized()
        if self.own:
            address = os.environ.get("RAY_ADDRESS")
            ray.init(address=address, include_dashboard=False if address is None else None, log_to_driver=False)
        cores = int(ray.cluster_resources().get("CPU", 1) // cpus)
        self.count, self.cpus = max(cores, 1) if workers is None else whole(workers, "workers", 1), cpus
        self.actor: Any = ray.remote(max_restarts=0, max_task_retries=0, num_cpus=cpus)(_Actor)
        self.idle: list[Any] = []
        self.starting: dict[Any, Any] = {}  # word that it lives -> actor; it is given a job only then
        self.busy: dict[Any, tuple[Any, Job]] = {}  # result to come -> actor, job
        self.waiting: deque[Job] = deque()
        self.lost = 0

    def submit(self, job: Job) -> None:
        self.waiting.append(job)
        self._give()

    def _give(self) -> None:
        while self.waiting and self.idle:
            actor, job = self.idle.pop(), self.waiting.popleft()
            self.busy[actor.run.remote(job)] = (actor, job)
        while len(self.starting) < len(self.waiting) and len(self.starting) + len(self.busy) < self.count:
            actor = self.actor.remote(self.problem, max(1, int(self.cpus)))
            self.starting[actor.process.remote()] = actor

    def wait(self) -> list[Finished]:
        out: list[Finished] = []
        while not out and (self.busy or self.waiting):
            ready, _ = self.ray.wait([*self.busy, *self.starting], num_returns=1, timeout=PATIENCE)
            if not ready and not self.busy:
                raise SlalomError(
                    f"the cluster has started no worker in {PATIENCE:.0f} s; has it room for one of {self.cpus:g} CPU?"
                )
            for answer in ready:
                self._take(answer, out)
            self._give()
        return out

    def _take(self, answer: Any, out: list[Finished]) -> None:
        """A word from a worker: that it lives, what it has done, or that it is lost."""
        job: Job | None = None
        if answer in self.starting:
            actor = self.starting.pop(answer)
        else:
            actor, job = self.busy.pop(answer)
        try:
            told = self.ray.get(answer)
        except self.ray.exceptions.RayError as error:
            self.lost += 1
            if self.lost > STARTS:
                raise SlalomError(f"{self.lost} workers of the cluster were lost; the last: {error}") from error
            if job is not None:
                out.append(Finished(job, error=type(error).__name__))
            return
        self.idle.append(actor)
        if job is not None:
            out.append(told)

    def cancel(self) -> None:
        for actor in [*self.idle, *self.starting.values(), *(actor for actor, _ in self.busy.values())]:
            self.ray.kill(actor)
        self.idle, self.starting, self.busy, self.waiting = [], {}, {}, deque()
        if self.own and self.ray.is_initialized():
            self.ray.shutdown()

    def resources(self) -> Resources:
        return Resources(self.count, False, f"{self.count} workers of a Ray cluster")
