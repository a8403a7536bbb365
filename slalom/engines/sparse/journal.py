"""The hypers that each step had, so that a row which missed it can still take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slalom.core.rule import Settings
from slalom.engines.sparse.kernels import ReplayKernel

Floats = NDArray[np.float64]
FIRST = 64  # entries that there is room for at first


class Journal:
    """Steps that some rows have still to take: for each its count `t` (from 1), its hypers, and the scalar states before it.

    The entries are numbered from `start` to `end`; those before were dropped. Coefficients for compiled code are made from
    them when they are asked for, many steps at once.
    """

    def __init__(self, settings: Settings, start: int = 0) -> None:
        self.hypers = list(settings.values)
        self.scalars = [name for name, state in settings.states.items() if state.scalar]
        self.start = start
        self.count = 0
        self._rows = np.empty((FIRST, 1 + len(self.hypers) + len(self.scalars)))
        self._coefficients: Floats | None = None
        self._made = 0

    @property
    def end(self) -> int:
        """The number that the next entry will have."""
        return self.start + self.count

    def full(self) -> bool:
        """Whether the next entry needs more room."""
        return self.count == len(self._rows)

    def note(self, t: int, values: Mapping[str, float], scalars: Mapping[str, float]) -> None:
        """Adds a step after the last."""
        if self.full():
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        row = self._rows[self.count]
        row[0] = t
        row[1 : 1 + len(self.hypers)] = list(values.values())
        row[1 + len(self.hypers) :] = list(scalars.values())
        self.count += 1

    def forget(self, until: int) -> None:
        """Drops the entries before `until`, which every row has taken; room is made anew unless half of it is free then."""
        drop = min(until - self.start, self.count)
        if drop > 0:
            room = max(FIRST, 2 * (self.count - drop))
            kept = np.empty((room, self._rows.shape[1]))
            kept[: self.count - drop] = self._rows[drop : self.count]
            self._rows = kept
            if self._coefficients is not None:
                self._coefficients = self._coefficients[drop : self.count].copy()
            self._made = max(0, self._made - drop)
            self.start, self.count = self.start + drop, self.count - drop

    def at(self, entry: int) -> tuple[int, dict[str, float], dict[str, float]]:
        """`(t, hypers, scalar states)` of an entry."""
        t, *row = (float(x) for x in self._rows[entry - self.start])
        split = len(self.hypers)
        return int(t), dict(zip(self.hypers, row[:split], strict=True)), dict(zip(self.scalars, row[split:], strict=True))

    def coefficients(self, kernel: ReplayKernel) -> Floats:
        """One row an entry, from `start` on."""
        have = self._coefficients
        if have is None or have.shape[1] != kernel.width:
            have, self._made = np.empty((len(self._rows), kernel.width)), 0
        elif len(have) < self.count:
            have = np.concatenate([have, np.empty((len(self._rows) - len(have), kernel.width))])
        if self._made < self.count:
            fresh = slice(self._made, self.count)
            t, *columns = np.ascontiguousarray(self._rows[fresh].T)
            values = dict(zip(self.hypers, columns, strict=False))
            scalars = dict(zip(self.scalars, columns[len(self.hypers) :], strict=True))
            have[fresh] = kernel.coefficients(values, t, scalars)[0]
            self._made = self.count
        self._coefficients = have
        return have

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_coefficients": None, "_made": 0}
