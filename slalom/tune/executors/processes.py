"""Training in worker processes on this machine: one job each at a time; a worker that dies is replaced, its job comes back."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections import deque
from multiprocessing.connection import Connection, wait
from typing import Any

from slalom.core.checks import whole
from slalom.core.errors import BadValueError
from slalom.tune.executors.base import Finished, Job, Resources, Worker
from slalom.tune.training.problem import Problem


def packed(problem: Problem) -> bytes:
    """The problem as bytes; BadValueError where it cannot travel."""
    try:
        return pickle.dumps(problem)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise BadValueError(
            f"this search cannot go to other processes ({error}); name the model as package.module:function, and loss and metric "
            "by name or as functions of a module, or take executor='local'"
        ) from None


def serve(pipe: Connection, problem: bytes, threads: int) -> None:
    """A worker's life: jobs come in, results go out; None or a closed pipe ends it."""
    import signal

    import torch

    import slalom.rules  # noqa: F401  (fills the registry)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's affair
    torch.set_num_threads(threads)
    worker = Worker(pickle.loads(problem))  # from our own parent, through a pipe that only it holds
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        if job is None:
            return
        try:
            made = worker.run(job)
        except Exception as error:
            made = Finished(job, error=f"{type(error).__name__}: {error}")
        worker.forget(job.batch)  # the state travels: the next rung may be another's
        pipe.send(made)


class _Hand:
    """A worker process and what it is at."""

    def __init__(self, problem: bytes, threads: int) -> None:
        context: Any = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, problem, threads), daemon=True)
        self.process.start()
        theirs.close()
        self.job: Job | None = None

    def end(self) -> None:
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


class Processes:
    """`workers` processes, one thread each unless there are more cores than workers."""

    def __init__(self, problem: Problem, workers: int | None = None) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.count = cores if workers is None else whole(workers, "workers", 1)
        self.problem = packed(problem)
        self.threads = max(1, cores // self.count)
        self.hands: list[_Hand] = []
        self.waiting: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self.waiting.append(job)
        self._give()

    def _give(self) -> None:
        while self.waiting:
            hand = next((h for h in self.hands if h.job is None), None)
            if hand is None:
                if len(self.hands) == self.count:
                    return
                hand = _Hand(self.problem, self.threads)
                self.hands.append(hand)
            job = self.waiting.popleft()
            try:
                hand.pipe.send(job)
            except (BrokenPipeError, OSError):
                self.waiting.appendleft(job)
                self._bury(hand)
                continue
            hand.job = job

    def _bury(self, hand: _Hand) -> None:
        hand.end()
        self.hands.remove(hand)

    def wait(self) -> list[Finished]:
        busy = [h for h in self.hands if h.job is not None]
        if not busy:
            return []
        out = []
        ready = wait([h.pipe for h in busy])  # a pipe whose worker has died is ready too
        for hand in busy:
            if hand.pipe not in ready or hand.job is None:
                continue
            job = hand.job
            try:
                out.append(hand.pipe.recv())
                hand.job = None
            except (EOFError, OSError):
                hand.process.join(5)
                code = hand.process.exitcode
                self._bury(hand)
                out.append(Finished(job, error=f"its process ended with {code}"))
        self._give()
        return out

    def cancel(self) -> None:
        for hand in self.hands:
            hand.end()
        self.hands, self.waiting = [], deque()

    def resources(self) -> Resources:
        return Resources(self.count, False, f"{self.count} processes on this machine")
