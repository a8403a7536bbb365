"""What the schedules of lanes say at several steps: factors on their learning rates, and momenta."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from slalom.engines.lanes.lane import Lane, cycles_momentum

Floats = np.ndarray[Any, np.dtype[np.float64]]


def _pure(schedule: Any) -> bool:
    """Whether it is one of `slalom.schedules` that depends on the step alone, and so takes many steps at once."""
    return getattr(schedule, "pure", False) is True


def _said(schedule: Any, name: str, steps: Sequence[int]) -> Floats:
    """`schedule.name(step)` of each step.

    A pure one is asked for two steps at least: NumPy computes some functions of single numbers another way, and a step's number
    must not depend on the steps that are asked for with it.
    """
    call = getattr(schedule, name)
    if not _pure(schedule):
        return np.array([float(call(t)) for t in steps])
    count = len(steps)
    made: Floats = call(np.resize(np.array(steps, np.float64), max(count, 2)))[:count]
    return made


class _Said:
    """What several lanes' schedules say; lanes with the same one ask it once. `of`: by lane."""

    def __init__(self, of: Mapping[int, Any]) -> None:
        keys = {i: s if _pure(s) else id(s) for i, s in of.items()}
        self.distinct: dict[Hashable, Any] = {keys[i]: s for i, s in of.items()}
        places = {key: k for k, key in enumerate(self.distinct)}
        self.lanes = list(of)
        self.at = [places[key] for key in keys.values()]

    def each(self, name: str, steps: Sequence[int]) -> Floats:
        """`[steps, lanes]` at steps counted from 1."""
        said = [_said(s, name, [t - 1 for t in steps]) for s in self.distinct.values()]
        return np.stack(said, 1)[:, self.at]


class Factors:
    """Each lane's factor on its learning rate."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.count = len(lanes)
        self.said = _Said({i: lane.schedule for i, lane in enumerate(lanes) if lane.schedule is not None})

    def at(self, steps: Sequence[int]) -> Floats:
        """At steps counted from 1: `[steps, lanes]`."""
        out = np.ones((len(steps), self.count))
        if self.said.lanes:
            out[:, self.said.lanes] = self.said.each("__call__", steps)
        return out


class Swing:
    """The lanes whose schedule sets the momentum, and which hyper of theirs that is."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.names = {i: str(lane.momentum_hyper) for i, lane in enumerate(lanes) if cycles_momentum(lane.schedule)}
        self.said = _Said({i: lanes[i].schedule for i in self.names})

    def at(self, steps: Sequence[int]) -> dict[int, Floats]:
        """The momentum at steps counted from 1, `[steps]`, by row."""
        return dict(zip(self.names, self.said.each("momentum", steps).T, strict=True)) if self.names else {}
