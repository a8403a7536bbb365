"""What an MLP of a search may differ in from its neighbours in the same program."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from slalom.core.errors import BadValueError, unknown_name
from slalom.nets.activations import ACTIVATIONS

# Activations without parameters of their own: one function for every lane that has it.
SHARED = tuple(name for name in ACTIVATIONS if not any(True for _ in ACTIVATIONS[name].make().parameters()))
PAD = 32  # a padded width is a multiple of it, so that no vectorised loop has a tail and a lane's bits do not depend on others


@dataclass(frozen=True)
class Architecture:
    """Hidden layers of these widths, each followed by the activation and dropout: what `slalom.nets.mlp` makes.

    >>> Architecture((20, 10), "tanh").cost(64, 10)
    1580
    """

    widths: tuple[int, ...]
    activation: str = "relu"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not self.widths or any(isinstance(w, bool) or not isinstance(w, int) or w < 1 for w in self.widths):
            raise BadValueError(f"an MLP's hidden layers must have at least one unit each, got {self.widths!r}")
        if self.activation not in SHARED:
            raise unknown_name("activation without parameters of its own", self.activation, SHARED)
        if not 0 <= self.dropout < 1:
            raise BadValueError(f"dropout must be a share in [0, 1), got {self.dropout!r}")

    def cost(self, inputs: int, outputs: int) -> int:
        """Weights of all layers: multiplications of one sample's forward pass."""
        sizes = (inputs, *self.widths, outputs)
        return sum(a * b for a, b in itertools.pairwise(sizes))


@dataclass(frozen=True)
class Frame:
    """The common shape that several architectures are padded to: `depth` hidden layers of `width` units."""

    inputs: int
    outputs: int
    depth: int
    width: int

    @classmethod
    def of(cls, shapes: Sequence[Architecture], inputs: int, outputs: int) -> Frame:
        """The smallest that holds them all."""
        widest = max(max(a.widths) for a in shapes)
        return cls(inputs, outputs, max(len(a.widths) for a in shapes), PAD * math.ceil(widest / PAD))
