"""Optimizers around an optimizer: each steps another one, and is a `torch.optim.Optimizer` itself."""

from slalom.optim.wrappers.accumulate import Accumulate
from slalom.optim.wrappers.base import Wrapper
from slalom.optim.wrappers.lookahead import Lookahead

__all__ = ["Accumulate", "Lookahead", "Wrapper"]
