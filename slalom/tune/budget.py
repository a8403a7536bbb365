"""How long a search may take: in trials, in time, or in training steps of lanes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from slalom.core.errors import BadValueError

SECONDS = {"s": 1.0, "sec": 1.0, "second": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0}
RESERVE = 0.15  # of a budget of time, for training the finalists anew
_FORM = re.compile(r"\s*([0-9.]+(?:e[0-9]+)?)\s*([a-z_ ]*?)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Budget:
    """One of the three is set; the training of the finalists counts against time alone."""

    trials: int | None = None
    seconds: float | None = None
    lane_steps: int | None = None

    @property
    def search_seconds(self) -> float | None:
        """Time for the search itself."""
        return None if self.seconds is None else self.seconds * (1 - RESERVE)

    def __str__(self) -> str:
        if self.trials is not None:
            return f"{self.trials} trials"
        if self.lane_steps is not None:
            return f"{self.lane_steps:,} lane steps"
        seconds = self.seconds or 0.0
        return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} min"

    def share(self, trials: int, seconds: float, lane_steps: int) -> float:
        """How much of it is used, from 0 to 1 or beyond."""
        if self.trials is not None:
            return trials / self.trials
        if self.lane_steps is not None:
            return lane_steps / self.lane_steps
        return seconds / (self.search_seconds or math.inf)


def budget_of(given: Any) -> Budget:
    """A budget from a number of trials or text: `200`, `"200 trials"`, `"5m"`, `"90s"`, `"2h"`, `"1e6 lane_steps"`.

    >>> budget_of("1.5h").seconds, budget_of(64).trials, budget_of("2e5 lane steps").lane_steps
    (5400.0, 64, 200000)
    """
    said = f"budget must be a number of trials, or such as '200 trials', '5m', '2h', '1e6 lane_steps'; got {given!r}"
    if isinstance(given, Budget):
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        if given < 1:
            raise BadValueError(said)
        return Budget(trials=given)
    found = _FORM.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise BadValueError(said)
    try:
        number = float(found[1])
    except ValueError:
        raise BadValueError(said) from None
    unit = found[2].strip().lower().replace(" ", "_")
    unit = unit if unit == "s" else unit.removesuffix("s")
    if not number > 0 or not math.isfinite(number):
        raise BadValueError(said)
    if unit in SECONDS:
        return Budget(seconds=number * SECONDS[unit])
    if unit in ("", "trial") and number.is_integer():
        return Budget(trials=int(number))
    if unit == "lane_step" and number.is_integer():
        return Budget(lane_steps=int(number))
    raise BadValueError(said)
