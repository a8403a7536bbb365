"""Where groups of lanes are trained: in this process, in others, or on other machines."""

from slalom.tune.executors.base import Executor, Finished, Job, Resources
from slalom.tune.executors.choose import executor_of
from slalom.tune.executors.local import Local

__all__ = ["Executor", "Finished", "Job", "Local", "Resources", "executor_of"]
