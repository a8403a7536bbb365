"""An executor by its name."""

from __future__ import annotations

from slalom.core.errors import BadValueError, unknown_name
from slalom.tune.executors.base import Executor
from slalom.tune.executors.local import Local
from slalom.tune.executors.processes import Processes
from slalom.tune.training.problem import Problem

EXECUTORS = {
    "local": "in this process, lanes on all its threads",
    "processes": "in worker processes on this machine",
    "ray": "in actors on a Ray cluster (slalom[ray])",
}


def executor_of(given: str | Executor, problem: Problem, workers: int | None) -> Executor:
    """The executor of that name, or the one that is given."""
    if not isinstance(given, str):
        if workers is not None:
            raise BadValueError(f"workers={workers} goes with an executor by its name; the one that is given has its own")
        return given
    if given not in EXECUTORS:
        raise unknown_name("executor", given, EXECUTORS)
    if given == "processes":
        return Processes(problem, workers)
    if given == "ray":
        from slalom.tune.executors.ray import Ray

        return Ray(problem, workers)
    if workers not in (None, 1):
        raise BadValueError(f"executor 'local' is one worker, got workers={workers}; take executor='processes'")
    return Local(problem)
