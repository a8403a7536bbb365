"""What watching may cost: a share of the time that training takes, kept by counting."""

from __future__ import annotations

import time

SHARE, SHARE_SHORT = 0.01, 0.05  # of the time, for looks: usually, and where steps are shorter than SHORT
SHORT = 2e-3  # seconds


class Ledger:
    """Seconds spent on looking (`own`) against seconds passed; `affords(cost)` says whether another look fits in.

    The share is 1 % of the time, 5 % where a step takes less than 2 ms: there a look costs many steps, and the run is short.
    """

    def __init__(self, share: float | None = None) -> None:
        self.share = share
        self.own = 0.0
        self.steps = 0
        self._began: float | None = None
        self._last = 0.0

    def tick(self) -> None:
        """A step has ended."""
        self._last = time.perf_counter()
        if self._began is None:
            self._began = self._last
        else:
            self.steps += 1

    @property
    def elapsed(self) -> float:
        """Seconds from the end of the first step to that of the last one."""
        return 0.0 if self._began is None else self._last - self._began

    def affords(self, cost: float) -> bool:
        """Whether looking for `cost` seconds more keeps within the share."""
        if not self.steps:
            return False
        training = self.elapsed - self.own
        share = self.share or (SHARE_SHORT if training / self.steps < SHORT else SHARE)
        return self.own + cost <= share * max(training, 0.0)

    def spend(self, since: float) -> float:
        """Books the time since then and returns it."""
        cost = time.perf_counter() - since
        self.own += cost
        return cost
