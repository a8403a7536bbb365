"""Pruning: by magnitude, weights or units, at once or on a schedule; and layers that shrink."""

from slalom.nets.pruning.prune import Pruner, Sparsity, finish, prune, sparsity
from slalom.nets.pruning.schedule import CubicSparsity
from slalom.nets.pruning.shrink import shrink

__all__ = ["CubicSparsity", "Pruner", "Sparsity", "finish", "prune", "shrink", "sparsity"]
