"""Lanes: many copies of one model trained side by side."""

from slalom.engines.lanes.chunk import Retirement
from slalom.engines.lanes.lane import Lane, TorchOptimizer, lanes_of
from slalom.engines.lanes.lanes import Lanes

__all__ = ["Lane", "Lanes", "Retirement", "TorchOptimizer", "lanes_of"]
