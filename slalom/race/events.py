"""What a running race tells whoever watches it: plain records, handed to `on_event` in order."""

from __future__ import annotations

from dataclasses import dataclass, field
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


@dataclass
class Recorder:
    """Keeps every event: `on_event=Recorder()`; handy in tests."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
