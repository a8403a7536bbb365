"""Landscapes: `slalom.landscape("beale")` runs rules over a test surface; slices and sharpness of real networks."""

from slalom.core.callable_module import make_callable
from slalom.landscape import surfaces
from slalom.landscape.paths import Fairness, Landscape, Path, Trial, landscape, walk
from slalom.landscape.surfaces import Goal, Surface, own_surface, surface

__all__ = ["Fairness", "Goal", "Landscape", "Path", "Surface", "Trial", "own_surface", "surface", "surfaces", "walk"]

make_callable(__name__, landscape)
