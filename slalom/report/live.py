"""A race under way as the page's data: the same figure, ranked by validation so far."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from slalom.figures import RaceFigure, build_race, verdict
from slalom.race.api import load
from slalom.race.results import LaneResult
from slalom.race.running import Progress, RunningRace, running


@dataclass(frozen=True)
class Now:
    """What a directory holds at this moment."""

    figure: RaceFigure
    progress: Progress

    @property
    def told(self) -> dict[str, Any]:
        """The progress as plain data."""
        return asdict(self.progress)


class _AsIfDone:
    """A running race whose lanes count although they still train, so that figures show how they stand."""

    def __init__(self, race: RunningRace) -> None:
        self._race = race
        self.lanes: Sequence[LaneResult] = [
            replace(lane, status="finished", test_metric=math.nan, test_loss=math.nan) if lane.status == "unfinished" else lane
            for lane in race.lanes
        ]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._race, name)


def read_now(directory: str | os.PathLike[str]) -> Now:
    """The race in a directory, running or ended. Errors: `StoreError` for what is no run directory."""
    race = running(directory)
    if race is None:
        result = load(directory)
        states = Counter(lane.status for lane in result.lanes)
        epochs, n = int(result.plan["epochs"]), len(result.lanes)
        return Now(build_race(result), Progress(epochs, epochs, n, n, states["retired"], True))
    made = build_race(_AsIfDone(race))
    status = tuple(lane.status for lane in race.lanes)
    open_ = race.progress.lanes - race.progress.done
    said = verdict(made.leaderboard, len(made.rules), open_) if race.lanes else "The race has begun; no epoch has ended yet."
    return Now(replace(made, lanes=replace(made.lanes, status=status), verdict=said), race.progress)
