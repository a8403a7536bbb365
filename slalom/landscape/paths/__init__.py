"""Paths that rules take on a surface: lanes whose parameter is a point of the plane."""

from slalom.landscape.paths.learning_rates import Fairness
from slalom.landscape.paths.make import landscape
from slalom.landscape.paths.record import Landscape, Path, Trial
from slalom.landscape.paths.walk import Walk, walk

__all__ = ["Fairness", "Landscape", "Path", "Trial", "Walk", "landscape", "walk"]
