"""Training in this process: a thread of its own, so that the sampler works on the next batch meanwhile."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from slalom.tune.executors.base import Finished, Job, Resources, Worker
from slalom.tune.training.problem import Problem


class Local:
    """Jobs in the order they were given, each on all the threads that torch is set to use."""

    def __init__(self, problem: Problem) -> None:
        self.worker = Worker(problem)
        self.pool = ThreadPoolExecutor(1, "slalom-tune")
        self.under_way: list[Future[Finished]] = []

    def submit(self, job: Job) -> None:
        self.under_way.append(self.pool.submit(self.worker.run, job))

    def wait(self) -> list[Finished]:
        if not self.under_way:
            return []
        wait(self.under_way, return_when=FIRST_COMPLETED)
        over = self.under_way.pop(0)  # one thread: they end in their order, and are handed over in it
        return [over.result()]

    def cancel(self) -> None:
        self.worker.stopping.set()
        for future in self.under_way:
            future.cancel()
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.under_way = []

    def resources(self) -> Resources:
        return Resources(1, True, "this process")
