"""The range test: which learning rate suits an optimizer on a model and its data."""

from slalom.race.range.api import range_test
from slalom.race.range.curve import Phases
from slalom.race.range.result import Point, RangeResult

__all__ = ["Phases", "Point", "RangeResult", "range_test"]
