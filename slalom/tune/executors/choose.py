"""An executor by its name."""

from __future__ import annotations

from slalom.core.errors import unknown_name
from slalom.tune.executors.base import Executor
from slalom.tune.executors.local import Local
from slalom.tune.training.problem import Problem

EXECUTORS = {
    "local": "in this process",
}


def executor_of(given: str | Executor, problem: Problem, workers: int | None) -> Executor:
    """The executor of that name, or the one that is given."""
    if not isinstance(given, str):
        return given
    if given not in EXECUTORS:
        raise unknown_name("executor", given, EXECUTORS)
    return Local(problem)
