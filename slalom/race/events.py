"""What a running race tells whoever watches it: plain records, handed to `on_event` in order."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any


@dataclass(frozen=True)
class RaceStarted:
    """The plan is fixed and the directory exists. `done_lanes`: finished before this start (a resumed race)."""

    directory: str | None
    model: str
    data: dict[str, Any]
    rules: list[str]
    lanes: int
    epochs: int
    steps_per_epoch: int
    metric: str
    higher_is_better: bool
    done_lanes: int = 0


@dataclass(frozen=True)
class LanesAdded:
    """Lanes planned for `rule`: its grid to begin with, or learning rates added since the best sat at an edge."""

    rule: str
    lrs: list[float]
    lanes: list[int]
    widened: bool = False


@dataclass(frozen=True)
class EpochDone:
    """One epoch of one heat; the lists run along `lanes`; retired lanes hold NaN. `seconds`: this epoch's own time."""

    heat: int
    epoch: int
    epochs: int
    lanes: list[int]
    train_loss: list[float]
    val_loss: list[float]
    val_metric: list[float]
    seconds: float


@dataclass(frozen=True)
class LaneRetired:
    """A lane turned non-finite at `step` (from 1) and stopped alone; its state after `last_finite_step` is kept."""

    lane: int
    rule: str
    lr: float
    seed: int
    step: int
    last_finite_step: int
    reason: str


@dataclass(frozen=True)
class Note:
    """One sentence that the person should read: an imputation, a fallback, a cap."""

    text: str


@dataclass(frozen=True)
class RaceDone:
    """Every lane has finished or retired."""

    seconds: float
    lanes: int
    retired: int


Event = RaceStarted | LanesAdded | EpochDone | LaneRetired | Note | RaceDone


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: records as objects, numbers that are not finite as null.

    >>> plain({"loss": float("nan"), "lrs": (0.1, float("inf"))})
    {'loss': None, 'lrs': [0.1, None]}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if hasattr(value, "tolist"):  # numpy and torch: arrays and single numbers
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def event_name(event: Event) -> str:
    """The event's name in JSON lines.

    >>> event_name(Note("scaled"))
    'note'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


def event_line(event: Event) -> str:
    """An event as one line of JSON, its name first."""
    return json.dumps({"event": event_name(event), **plain(event)}, allow_nan=False)


@dataclass
class Recorder:
    """Keeps every event: `on_event=Recorder()`; handy in tests."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
