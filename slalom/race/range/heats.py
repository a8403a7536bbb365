"""What every method of the range test asks of a subject: runs that start alike and are trained some steps at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Run:
    """One model trained at `lr`, times `factor(step)` where that is given; `seed`: of initialisation, order and dropout."""

    lr: float
    seed: int
    factor: Callable[[int], float] | None = None


class Heat(Protocol):
    """Runs under way."""

    def advance(self, steps: int) -> Floats:
        """Training loss before each update, `[steps, runs]`; infinite from where a run is no longer finite."""
        ...

    def only(self, numbers: Sequence[int]) -> Heat:
        """These runs alone, from where they stand; the others end."""
        ...

    def accuracy(self) -> Floats:
        """Share of samples classified rightly, `[runs]`; NaN for a run that is no longer finite."""
        ...


class Subject(Protocol):
    """A model, its data and its optimizer: starts runs. Whatever was handed in stays as it is."""

    @property
    def name(self) -> str:
        """Of the optimizer, for people."""
        ...

    @property
    def per_epoch(self) -> int:
        """Steps."""
        ...

    @property
    def notes(self) -> list[str]:
        """What the person should know."""
        ...

    @property
    def default_lr(self) -> float | None: ...

    def start(self, runs: Sequence[Run]) -> Heat: ...


def finite_or_inf(losses: Floats) -> Floats:
    """NaN and infinities of either sign as infinite: nothing is worse."""
    return np.where(np.isfinite(losses), losses, np.inf)
