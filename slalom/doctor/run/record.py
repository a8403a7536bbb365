"""What is noted of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import nn

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """A look at the model in evaluation mode at a step: the loss on a fixed sample of the training rows, and on the validation's.

    `val` is NaN without validation rows; `val_right`, `train_right`: accuracies, NaN where targets are not classes.
    """

    step: int
    train: float
    val: float
    train_right: float = math.nan
    val_right: float = math.nan


@dataclass
class Run:
    """A training run of `steps` steps at most: `losses` before each, `rates` by epoch.

    Where it was watched: `norms` of the whole gradient, `layers`: the gradient's norm by parameter `[steps, parameters]`,
    `ratios`: update over weight by parameter, at some steps. `broke`: the step whose loss was not finite; `cut`: it was ended
    early, its outcome being plain. `seconds`: of training alone, without the looks.
    """

    model: nn.Module
    names: tuple[str, ...] = ()
    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    layers: list[list[float]] = field(default_factory=list)
    ratios: dict[int, list[float]] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    broke: int | None = None
    cut: bool = False
    seconds: float = 0.0
    untouched: tuple[str, ...] = ()  # parameters that no step has changed
    without_gradient: tuple[str, ...] = ()  # parameters whose gradient was None at every step

    @property
    def end(self) -> Look:
        return self.looks[-1]

    def train(self) -> Floats:
        """The loss on the sample of training rows at each look."""
        return np.array([look.train for look in self.looks])

    def val(self) -> Floats:
        """The validation loss at each look."""
        return np.array([look.val for look in self.looks])

    def at(self, step: int) -> Look:
        """The last look not after a step."""
        return next((look for look in reversed(self.looks) if look.step <= step), self.looks[0])
