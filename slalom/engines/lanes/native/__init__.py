"""Lanes of a chain of common layers, forward and backward in C: see chain.c."""

from slalom.engines.lanes.native.chain import Native
from slalom.engines.lanes.native.parts import Unfit

__all__ = ["Native", "Unfit"]
