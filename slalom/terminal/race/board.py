"""The state of a running race, folded from its events: what every view reads and none changes.

`Board` knows no terminal: events and times go in, rows and shares come out.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from slalom.race.events import EpochDone, Event, LaneRetired, LanesAdded, Note, RaceDone, RaceStarted

NAN = float("nan")


@dataclass
class Lane:
    """One lane as far as events told: epochs behind it and its validation figures, one an epoch."""

    rule: str
    lr: float
    epoch: int = 0
    metric: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    retired: bool = False


@dataclass(frozen=True)
class Cell:
    """One learning rate of a rule: latest validation figures over the seeds that have not retired, NaN before the first."""

    lr: float
    mean: float
    sd: float
    loss: float
    retired: int
    lanes: list[Lane] = field(repr=False)  # those that the figures are of

    @property
    def epochs(self) -> list[float]:
        """Mean metric over these seeds, one an epoch."""
        return [_mean(values) for values in zip(*(lane.metric for lane in self.lanes), strict=False)]


@dataclass(frozen=True)
class Row:
    """One rule: its learning rates in order, the best of them so far, and how its lanes stand."""

    rule: str
    cells: list[Cell]
    best: Cell | None
    waiting: int
    running: int
    finished: int
    retired: int
    widened: int


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values and all(map(math.isfinite, values)) else NAN


def _sd(values: Sequence[float]) -> float:
    if len(values) < 2 or not math.isfinite(mean := _mean(values)):
        return NAN
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def _cell(lr: float, lanes: list[Lane]) -> Cell:
    alive = [lane for lane in lanes if not lane.retired]
    seen = alive if all(lane.metric for lane in alive) else []
    last = [lane.metric[-1] for lane in seen]
    return Cell(lr, _mean(last), _sd(last), _mean([lane.loss[-1] for lane in seen]), len(lanes) - len(alive), seen)


class Board:
    """Folds events: `board.apply(event, now)`, with `now` in seconds of any clock that does not go back."""

    def __init__(self) -> None:
        self.directory: str | None = None
        self.model = ""
        self.data: dict[str, Any] = {}
        self.metric = "metric"
        self.higher_is_better = True
        self.epochs = 0
        self.planned = 0
        self.done_before = 0
        self.lanes: dict[int, Lane] = {}
        self._grids: dict[str, dict[float, list[Lane]]] = {}  # rule -> lr -> its lanes
        self._rows: dict[str, Row] = {}  # as last asked for; an event empties it
        self.widened: dict[str, int] = {}
        self.rules: list[str] = []
        self.retired: list[LaneRetired] = []
        self.notes: list[str] = []
        self.done: RaceDone | None = None
        self.started_at: float | None = None
        self._pace: deque[tuple[float, float]] = deque(maxlen=16)  # (time, lane-epochs done), to tell what is left
        self._worked = 0.0

    def apply(self, event: Event, now: float) -> None:
        """Take in one event that happened at `now`."""
        self._rows.clear()
        if isinstance(event, RaceStarted):
            self.directory, self.model, self.data = event.directory, event.model, event.data
            self.metric, self.higher_is_better = event.metric, event.higher_is_better
            self.epochs, self.planned, self.done_before = event.epochs, event.lanes, event.done_lanes
            self.rules = list(event.rules)
            self.started_at = now
            self._pace.append((now, 0.0))
        elif isinstance(event, LanesAdded):
            self._add(event)
        elif isinstance(event, EpochDone):
            self._epoch(event, now)
        elif isinstance(event, LaneRetired):
            self._lane(event.lane, event.rule, event.lr).retired = True
            self.retired.append(event)
        elif isinstance(event, Note):
            if event.text not in self.notes:
                self.notes.append(event.text)
        else:
            self.done = event

    def _add(self, event: LanesAdded) -> None:
        if event.rule not in self.rules:
            self.rules.append(event.rule)
        if event.widened:
            self.widened[event.rule] = self.widened.get(event.rule, 0) + len(event.lrs)
        share = max(len(event.lanes) // max(len(event.lrs), 1), 1)  # lanes run through the seeds of one lr, then the next
        for i, lane in enumerate(event.lanes):
            self._lane(lane, event.rule, event.lrs[min(i // share, len(event.lrs) - 1)])

    def _lane(self, number: int, rule: str, lr: float) -> Lane:
        if number not in self.lanes:
            self.lanes[number] = Lane(rule, lr)
            self._grids.setdefault(rule, {}).setdefault(lr, []).append(self.lanes[number])
        return self.lanes[number]

    def _epoch(self, event: EpochDone, now: float) -> None:
        replayed = event.seconds == 0  # a resumed race tells its past first; that says nothing about the pace
        for i, number in enumerate(event.lanes):
            lane = self.lanes.get(number)
            if lane is None or lane.retired:
                continue
            if not replayed:
                self._worked += max(event.epoch - lane.epoch, 0)
            lane.epoch = event.epoch
            lane.metric.append(event.val_metric[i])
            lane.loss.append(event.val_loss[i])
        if replayed:
            self._pace.clear()
        self._pace.append((now, self._worked))

    @property
    def total(self) -> int:
        """Lanes of the whole race as far as known, with those finished before this start."""
        return max(self.planned, len(self.lanes))

    @property
    def share(self) -> float:
        """How much of the race is behind, 0 to 1, counted in lane-epochs; a retired lane has nothing left to do."""
        if self.done is not None:
            return 1.0
        whole = self.total * self.epochs
        return 1.0 - self._left() / whole if whole else 0.0

    @property
    def epoch(self) -> int:
        """The epoch that the slowest lane under way is in, from 1; between heats, the last one that was run; 0 before any."""
        alive = [lane.epoch for lane in self.lanes.values() if not lane.retired]
        under_way = [epoch for epoch in alive if 0 < epoch < self.epochs]
        return min(under_way) + 1 if under_way else max(alive, default=0)

    def elapsed(self, now: float) -> float:
        """Seconds since the race started."""
        return 0.0 if self.started_at is None else now - self.started_at

    def left(self, now: float) -> float:
        """Seconds still to go at the pace of the latest epochs; NaN before the first."""
        if self.done is not None or (self.lanes and not self._left()):
            return 0.0
        (since, before), (until, after) = (self._pace[0], self._pace[-1]) if self._pace else ((0, 0), (0, 0))
        if after <= before or until <= since:
            return NAN
        return max(self._left() * (until - since) / (after - before) - (now - until), 0.0)

    def _left(self) -> float:
        unseen = self.total - len(self.lanes)
        known = sum(self.epochs - lane.epoch for lane in self.lanes.values() if not lane.retired)
        return known + unseen * self.epochs

    def row(self, rule: str) -> Row:
        """How one rule stands."""
        if rule not in self._rows:
            self._rows[rule] = self._row(rule, self._grids.get(rule, {}))
        return self._rows[rule]

    def _row(self, rule: str, grid: dict[float, list[Lane]]) -> Row:
        lanes = [lane for group in grid.values() for lane in group]
        cells = [_cell(lr, grid[lr]) for lr in sorted(grid)]
        retired = sum(lane.retired for lane in lanes)
        finished = sum(not lane.retired and lane.epoch >= self.epochs > 0 for lane in lanes)
        running = sum(not lane.retired and 0 < lane.epoch < self.epochs for lane in lanes)
        best = min((c for c in cells if math.isfinite(c.mean)), key=self._order, default=None)
        waiting = len(lanes) - retired - finished - running
        return Row(rule, cells, best, waiting, running, finished, retired, self.widened.get(rule, 0))

    def rows(self) -> list[Row]:
        """Every rule, the best first; rules without a figure last, in the order of the plan."""
        rows = [self.row(rule) for rule in self.rules]
        return sorted(rows, key=lambda r: (r.best is None, self._order(r.best)[1:] if r.best else (0.0, 0.0)))

    def _order(self, cell: Cell) -> tuple[int, float, float]:
        """As the leaderboard chooses: fewest seeds lost, then the metric, then the loss."""
        loss = cell.loss if math.isfinite(cell.loss) else math.inf
        return (cell.retired, -cell.mean if self.higher_is_better else cell.mean, loss)
