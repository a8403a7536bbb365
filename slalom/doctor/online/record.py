"""What is known of a run that is being watched: bounded in memory however long it goes on."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
KEPT_LOSSES, KEPT_LOOKS = 4096, 64


class Thinned:
    """A row of numbers of which at most `most` means of equal stretches are kept.

    >>> row = Thinned(4)
    >>> for k in range(8):
    ...     row.add(float(k))
    >>> row.values().tolist(), row.stride
    ([0.5, 2.5, 4.5, 6.5], 2)
    """

    def __init__(self, most: int = KEPT_LOSSES) -> None:
        self.most, self.stride, self.count = most, 1, 0
        self._kept = array("d")
        self._part, self._held = 0.0, 0

    def add(self, value: float) -> None:
        self.count += 1
        self._part += value
        self._held += 1
        if self._held < self.stride:
            return
        if len(self._kept) == self.most:
            self._kept = array("d", [(a + b) / 2 for a, b in zip(self._kept[::2], self._kept[1::2], strict=True)])
            self.stride *= 2
            return
        self._kept.append(self._part / self._held)
        self._part, self._held = 0.0, 0

    def values(self) -> Floats:
        return np.frombuffer(self._kept, dtype=np.float64).copy() if len(self._kept) else np.empty(0)


@dataclass(frozen=True)
class LayerLook:
    """A look at the parameters at a step: root mean square of gradients `[parameters]` (NaN where there is none), relative change
    of weights by the step (of a sample of entries; NaN where not measured), and the highest learning rate."""

    step: int
    gradients: Floats
    ratios: Floats
    lr: float


@dataclass(frozen=True)
class InputLook:
    """The model's first floating-point input: means and standard deviations by feature, whether it is finite, and its rows."""

    step: int
    mean: Floats
    sd: Floats
    finite: bool
    rows: int


@dataclass
class Watched:
    """A run as it is seen from inside its loop.

    `names`, `sizes`: parameters and how many numbers each has; `weights`: which are the matrices of layers, in order.
    `missed`: trainable parameters that no optimizer has. `rectified`: whether units may be ReLUs; `normalised`: whether the
    first layer normalises its input. `losses`: by step, thinned; `first`: the first of them. `broke`: the first step whose
    loss was not finite. `misfit`: what does not fit between outputs and loss. `epochs`: (step, mean training loss, validation
    loss) of each `epoch`. `silent`: by layer, which units have had gradient 0 at every one of the last looks; `still`: which
    parameters have not changed at any look.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    weights: tuple[int, ...]
    missed: tuple[str, ...] = ()
    rectified: bool = False
    normalised: bool = False
    steps: int = 0
    first: float = math.nan
    broke: int | None = None
    misfit: tuple[int, str] | None = None  # the step at which it was seen, and what
    losses: Thinned = field(default_factory=Thinned)
    looks: list[LayerLook] = field(default_factory=list)
    inputs: list[InputLook] = field(default_factory=list)
    epochs: list[tuple[int, float, float]] = field(default_factory=list)
    silent: dict[str, tuple[int, Flags]] = field(default_factory=dict)  # looks in a row, and the units silent in all of them
    still: Flags | None = None
    bad_gradients: int = 0  # looks in a row with a gradient that is not finite

    def looked(self, look: LayerLook) -> None:
        """Adds a look; of many, the early and the late ones are kept."""
        self.looks.append(look)
        if len(self.looks) > KEPT_LOOKS:
            del self.looks[KEPT_LOOKS // 4]
        changed = look.ratios > 0
        unmeasured = np.isnan(look.ratios)
        if changed.any():  # a step in which nothing moved (skipped for an overflow) says nothing of any parameter
            quiet = ~changed & ~unmeasured
            self.still = quiet if self.still is None else self.still & quiet
