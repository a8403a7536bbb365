"""Lanes of different architectures in one program: widths padded, layers skipped, activation and dropout by lane."""

from slalom.tune.lanes.architecture import Architecture
from slalom.tune.lanes.masked import MaskedMLP, embedded, mlp_of
from slalom.tune.lanes.mechanism import MASKED

__all__ = ["MASKED", "Architecture", "MaskedMLP", "embedded", "mlp_of"]
