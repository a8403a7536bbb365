"""The trials of a search, folded from its journal: live, resumed and loaded searches read them the same way."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from slalom.tune.budget import Budget
from slalom.tune.samplers.base import Past
from slalom.tune.space.space import Config, Space


@dataclass
class Trial:
    """One configuration and how far it came.

    `state`: running, finished (ran to its end), pruned (stopped at a rung for being behind), diverged, or stopped (the budget was
    used up). `loss`, `metric`: validation, after `epoch` epochs, in the data's own units. `value`: what samplers were told.
    """

    number: int
    config: Config
    point: Config
    batch: int
    seed: int
    order: int | None = None  # of the data; None: the search's seed
    attrs: dict[str, Any] = field(default_factory=dict)
    enqueued: bool = False
    state: str = "running"
    epoch: int = 0
    loss: float = math.nan
    metric: float = math.nan
    value: float | None = None
    rungs: list[tuple[int, float, float]] = field(default_factory=list)  # epoch, loss, metric
    told: list[tuple[int, float]] = field(default_factory=list)  # epoch, value
    reason: str = ""

    def __str__(self) -> str:
        return f"trial {self.number}: {shown(self.config)}"


def shown(config: Config) -> str:
    """A configuration on one line, numbers short.

    >>> shown({"lr": 0.0123456, "optimizer": "adam"})
    'lr=0.0123 optimizer=adam'
    """
    return " ".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in config.items())


def _number(value: Any) -> float:
    return float(value) if value is not None else math.nan


class History:
    """Everything that is known of a search; `apply` takes a line of the journal."""

    def __init__(self, space: Space, budget: Budget | None = None) -> None:
        self.space = space
        self.budget = budget or Budget()
        self.trials: list[Trial] = []
        self.batches: dict[int, dict[str, Any]] = {}  # those under way: rung done, numbers kept, rungs (None: the plan's)
        self.seconds = 0.0
        self.lane_steps = 0
        self.sampling = 0.0
        self.notes: list[str] = []
        self.confirmed: dict[str, Any] | None = None
        self.tested: dict[str, Any] | None = None
        self.done: dict[str, Any] | None = None

    @classmethod
    def of(cls, space: Space, lines: Iterable[dict[str, Any]]) -> History:
        """The history that a journal tells."""
        made = cls(space)
        for line in lines:
            made.apply(line)
        return made

    def apply(self, line: dict[str, Any]) -> None:
        """Take in one line."""
        event = line["event"]
        if event == "batch_asked":
            self._asked(line)
        elif event == "rung_done":
            self._rung(line)
        elif event == "note":
            self.notes.append(line["text"])
        elif event == "confirmed":
            self.confirmed = line
            self.seconds = max(self.seconds, float(line["seconds"]))
        elif event == "tested":
            self.tested = line
        elif event == "done":
            self.done = line
            self.seconds = max(self.seconds, float(line["seconds"]))

    def _asked(self, line: dict[str, Any]) -> None:
        for t in line["trials"]:
            config = self.space.active(t["point"])
            noted, own = t.get("attrs", {}), t.get("enqueued", False)
            made = Trial(t["number"], config, t["point"], line["batch"], t["seed"], line.get("order"), noted, own)
            self.trials.append(made)
        self.sampling += float(line["seconds"])
        self.batches[line["batch"]] = {"rung": -1, "kept": [t["number"] for t in line["trials"]], "rungs": line.get("rungs")}

    def _rung(self, line: dict[str, Any]) -> None:
        for number, epoch, loss, metric, value, reason in line["standings"]:
            trial = self.trials[number]
            trial.epoch, trial.loss, trial.metric, trial.reason = epoch, _number(loss), _number(metric), reason
            trial.rungs.append((epoch, trial.loss, trial.metric))
            trial.value = _number(value)
            trial.told.append((epoch, trial.value))
        for number, state in line["states"].items():
            self.trials[int(number)].state = state
        self.seconds, self.lane_steps = float(line["seconds"]), line["lane_steps"]
        if line["kept"]:
            self.batches[line["batch"]] |= {"rung": line["rung"], "kept": line["kept"]}
        else:
            self.batches.pop(line["batch"], None)

    def pasts(self) -> list[Past]:
        """The trials as samplers see them; those under way without a value."""
        return [
            Past(t.number, t.point, None, attrs=t.attrs)
            if t.state == "running"
            else Past(t.number, t.point, t.value, t.epoch, t.state == "finished", t.attrs, tuple(t.told))
            for t in self.trials
        ]

    def told(self) -> list[Trial]:
        """Trials that have ended."""
        return [t for t in self.trials if t.state != "running"]

    def ranking(self) -> list[Trial]:
        """Trials that can be compared, best first: those trained longest, then by value; diverged ones are left out."""
        good = [t for t in self.trials if t.value is not None and t.state != "diverged" and math.isfinite(t.loss)]
        full = [t for t in good if t.state == "finished"]
        if not full:
            most = max((t.epoch for t in good), default=0)
            full = [t for t in good if t.epoch == most]
        return sorted(full, key=lambda t: (t.value if t.value is not None else math.inf, t.number))
