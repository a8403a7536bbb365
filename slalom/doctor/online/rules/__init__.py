"""The rules that judge a run from inside its loop: each takes what was watched and gives a finding or nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy.ma  # noqa: F401 - the first np.median imports it: here, and not in the middle of somebody's training

from slalom.doctor.finding import Finding
from slalom.doctor.online.record import Watched
from slalom.doctor.online.rules import data, layers
from slalom.doctor.online.rules.curve import Curves, overfitting

STATIC = (data.nonfinite, data.mismatched, data.unnormalised, layers.missed, layers.dead)
DYNAMIC = (layers.unmoved, layers.by_depth, layers.steps_too_large, layers.steps_too_small, overfitting)


class Judge:
    """Asks all rules about a record; `fresh` holds the losses since the last time."""

    def __init__(self, record: Watched) -> None:
        self.record = record
        self.fresh: list[float] = []
        self._curves = Curves()

    def static(self) -> Iterator[Finding]:
        """What can be told from the first steps."""
        for rule in STATIC:
            found = rule(self.record)
            if found is not None:
                yield found

    def all(self) -> Iterator[Finding]:
        """Everything."""
        losses, self.fresh = self.fresh, []
        self._curves.feed(losses)
        yield from self.static()
        for rule in (*DYNAMIC, self._curves.diverges, self._curves.swings):
            found = rule(self.record)
            if found is not None:
                yield found
