"""Surfaces: test functions of the plane, each written once as a formula that torch, NumPy and the printers read."""

from slalom.landscape.surfaces.registry import names, register, surface, surfaces  # isort: skip
from slalom.landscape.surfaces import saddles, valleys, many_minima, moons  # noqa: F401  isort: skip  (they register themselves)
from slalom.landscape.surfaces.own import OwnSurface, own_surface
from slalom.landscape.surfaces.record import Goal, Surface

__all__ = ["Goal", "OwnSurface", "Surface", "names", "own_surface", "register", "surface", "surfaces"]
