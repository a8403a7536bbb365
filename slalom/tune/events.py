"""What a search tells: the lines of its journal, and what whoever watches is handed, in order."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from typing import Any

from slalom.race.directory import to_json


@dataclass(frozen=True)
class Started:
    """The plan is fixed and the directory exists; `trials` were told before this start (a resumed search)."""

    directory: str | None
    model: str
    data: str
    method: str
    why: str
    budget: str
    space: int
    lanes: int
    rungs: list[int]
    metric: str
    trials: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class BatchAsked:
    """A batch of points: `trials` holds number, point, attrs, seed and enqueued of each. `seconds`: the sampler's time.

    `rungs`: the epochs at which they are compared. `order`: what the order of their data is drawn by.
    """

    batch: int
    trials: list[dict[str, Any]]
    seconds: float
    rungs: list[int]
    order: int


@dataclass(frozen=True)
class RungDone:
    """A batch at an epoch. `standings`: number, epoch, loss, metric, what samplers are told, why it diverged.

    `states`: trials that end here, by number: finished, pruned, diverged or stopped. `kept`: those that go on. `seconds`:
    since the search began; `lane_steps`: training steps so far.
    """

    batch: int
    rung: int
    epoch: int
    standings: list[list[Any]]
    states: dict[str, str]
    kept: list[int]
    seconds: float
    lane_steps: int


@dataclass(frozen=True)
class Note:
    """One sentence that the person should read."""

    text: str


@dataclass(frozen=True)
class Confirmed:
    """The finalists, trained anew over fresh seeds: validation only. `winner`: the best mean."""

    finalists: list[dict[str, Any]]
    winner: int
    seconds: float


@dataclass(frozen=True)
class Tested:
    """The test part, opened once, for the winner alone: a value a seed."""

    number: int
    seeds: list[int]
    test_loss: list[float]
    test_metric: list[float]
    model_seed: int


@dataclass(frozen=True)
class Done:
    """The search has ended; `sampling`: seconds that the sampler took, `waiting`: those of them in which nothing trained."""

    trials: int
    seconds: float
    sampling: float
    waiting: float


Event = Started | BatchAsked | RungDone | Note | Confirmed | Tested | Done


def line_of(event: Event) -> dict[str, Any]:
    """An event as plain data, its name first."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    return {"event": name, **{f.name: getattr(event, f.name) for f in dataclasses.fields(event)}}


def to_text(line: dict[str, Any]) -> str:
    """A line of the journal; what is not a finite number is written as text."""
    return json.dumps(to_json(line), allow_nan=False, separators=(",", ":"))


@dataclass
class Recorder:
    """Keeps every event: `on_event=Recorder()`; handy in tests."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
