"""Data sets: built-in names, files, arrays and Datasets, split and scaled on the training part alone."""

from slalom.data.loading import load
from slalom.data.record import Data, Part, Task
from slalom.data.registry import names

__all__ = ["Data", "Part", "Task", "load", "names"]
