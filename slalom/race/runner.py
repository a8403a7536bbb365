"""Runs a plan: heats of lanes, epoch by epoch, widening grids, telling whoever watches and keeping everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from slalom.core.errors import BadValueError
from slalom.race.entrants import Entrant
from slalom.race.events import EpochDone, Event, LaneRetired, LanesAdded, Note, RaceDone, RaceStarted
from slalom.race.grid import MAX_WIDENINGS, beyond
from slalom.race.heat import Heat, HeatRecord, PlannedLane, epoch_loss
from slalom.race.leaderboard import best_lr
from slalom.race.parts import Parts
from slalom.race.plan import Plan
from slalom.race.store import Store
from slalom.race.variants.stopping import filled

OnEvent = Callable[[Event], None]


def journal_seconds(lines: Sequence[dict[str, Any]]) -> dict[tuple[int, int], float]:
    """What each heat's epochs (from 1) took, from the journal."""
    return {(line["heat"], line["epoch"]): float(line["seconds"]) for line in lines if line["event"] == "epoch_done"}


def _allowed(entrant: Entrant, lr: float) -> bool:
    try:
        entrant.optimizer(lr)
    except BadValueError:
        return False
    return True


class Runner:
    """One run of a plan. `store=None` keeps it in memory; `resuming` goes on where the store's checkpoint is."""

    def __init__(self, plan: Plan, parts: Parts, store: Store | None, on_event: OnEvent | None, resuming: bool = False) -> None:
        self.plan = plan
        self.parts = parts
        self.store = store
        self.on_event = on_event
        self.heats: list[HeatRecord] = []
        self.notes: list[str] = []
        self._journal: list[Event] = []
        lines = store.journal() if store and resuming else []
        self.seconds = journal_seconds(lines)
        self._epochs_told = {(line["heat"], line["epoch"]) for line in lines if line["event"] == "epoch_done"}
        self._told = {line["event"] + str(line.get("lane", line.get("lanes", line.get("text")))) for line in lines}
        self._ended = any(line["event"] == "race_done" for line in lines)
        self._done_before = store.finished_lanes() if store and resuming else 0

    # -- telling ------------------------------------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        if isinstance(event, Note):
            self.notes.append(event.text)
        if isinstance(event, EpochDone):
            self.seconds.setdefault((event.heat, event.epoch), event.seconds)
        self._journal.append(event)
        if self.on_event is not None:
            self.on_event(event)

    def _write_journal(self) -> None:
        if self.store is not None and not self._ended:
            fresh = [e for e in self._journal if not self._in_journal(e)]
            self.store.append(fresh)
        self._journal = []

    def _in_journal(self, event: Event) -> bool:
        if isinstance(event, EpochDone):
            return (event.heat, event.epoch) in self._epochs_told
        if isinstance(event, LaneRetired):
            return f"lane_retired{event.lane}" in self._told
        if isinstance(event, LanesAdded):
            return f"lanes_added{event.lanes}" in self._told
        return isinstance(event, Note) and f"note{event.text}" in self._told

    # -- running ------------------------------------------------------------------------------------------------------

    def run(self, first_notes: Sequence[str] = ()) -> list[HeatRecord]:
        """All heats, in the order of their numbers."""
        begin = time.perf_counter()
        plan = self.plan
        labels = [r.label for r in plan.rules]
        planned = sum(len(r.lrs) for r in plan.rules) * len(plan.seeds)
        self._tell(
            RaceStarted(
                str(self.store.path) if self.store else None, plan.model_name, plan.data, labels, planned, plan.epochs,
                plan.steps_per_epoch, plan.metric, plan.higher_is_better, self._done_before,
            )
        )  # fmt: skip
        for text in first_notes:
            self._tell(Note(text))
        self._write_journal()
        rates = {r.label: list(r.lrs) for r in plan.rules}
        self._round(rates, widened=False)
        widenings = dict.fromkeys(labels, 0)
        while plan.widen:
            more = {k: v for k in labels if (v := self._beyond(k)) and widenings[k] < MAX_WIDENINGS}
            if not more:
                break
            for label in more:
                widenings[label] += 1
            self._round(more, widened=True)
        for label in labels:
            if plan.widen and self._beyond(label):
                self._tell(Note(f"{label}: the best learning rate is still at the edge after widening {MAX_WIDENINGS} times"))
        results = [r for h in self.heats for r in h.results]
        self._tell(RaceDone(time.perf_counter() - begin, len(results), sum(r.status == "retired" for r in results)))
        self._write_journal()
        return self.heats

    def _beyond(self, label: str) -> list[float]:
        lanes = [r for h in self.heats for r in h.results if r.rule == label]
        if not any(lane.status == "finished" for lane in lanes):
            return []
        lrs = sorted({lane.lr for lane in lanes})
        added = beyond(lrs, best_lr(lanes, self.plan.higher_is_better)) if len(lrs) > 1 else []
        (entrant,) = (r.entrant for r in self.plan.rules if r.label == label)
        return [lr for lr in added if _allowed(entrant, lr)]

    def _round(self, rates: dict[str, list[float]], widened: bool) -> None:
        number = sum(len(h.lanes) for h in self.heats)
        planned: list[PlannedLane] = []
        keys = [made.key for made in self.parts.made]
        for index in sorted(range(len(keys)), key=lambda i: keys.index(keys[i])):  # those of one program side by side
            rule = self.plan.rules[index]
            lrs = rates.get(rule.label, [])
            lanes = [PlannedLane(0, index, lr, seed) for lr in lrs for seed in self.plan.seeds]
            lanes = [PlannedLane(number + len(planned) + i, p.rule, p.lr, p.seed) for i, p in enumerate(lanes)]
            planned += lanes
            if lanes:
                self._tell(LanesAdded(rule.label, lrs, [p.number for p in lanes], widened))
        size = self.plan.heat_lanes
        for key in dict.fromkeys(keys):
            alike = [p for p in planned if keys[p.rule] == key]
            for start in range(0, len(alike), size):
                self._heat(alike[start : start + size])

    def _heat(self, planned: list[PlannedLane]) -> None:
        number = len(self.heats)
        finished = self.store.read_heat(number) if self.store else None
        if finished is not None:
            self._replay(finished)
            self.heats.append(finished)
            return
        heat = Heat(number, planned, self.plan, self.parts)
        state = self.store.read_checkpoint(number) if self.store else None
        if state is not None:
            heat.load_state_dict(state)
            for e in range(heat.record.epoch):
                self._tell_epoch(heat.record, e, 0.0)
            self._tell_retired(heat, 0)
        for text in heat.lanes.notes:
            if text not in self.notes:
                self._tell(Note(text))
        while not heat.done:
            begin, before = time.perf_counter(), len(heat.lanes.retired)
            heat.epoch()
            if self.store is not None:
                self.store.checkpoint(number, heat.state_dict())
            self._tell_retired(heat, before)
            self._tell_epoch(heat.record, heat.record.epoch - 1, time.perf_counter() - begin)
            self._write_journal()
        record = heat.finish()
        if self.store is not None:
            self.store.finish_heat(record)
            record.weights = {}
        self.heats.append(record)

    def _tell_epoch(self, record: HeatRecord, epoch: int, seconds: float) -> None:
        train = epoch_loss(record, self.plan, epoch)
        curves = {k: record.curves[k] for k in ("val_loss", "val_metric")}
        val_loss, val_metric = (filled(v[:, epoch], v, record.stops, epoch) for v in curves.values())
        lanes = [p.number for p in record.lanes]
        done = EpochDone(record.number, epoch + 1, self.plan.epochs, lanes, train.tolist(), val_loss, val_metric, seconds)
        self._tell(done)

    def _tell_retired(self, heat: Heat, before: int) -> None:
        retired = sorted(heat.lanes.retired.values(), key=lambda r: (r.step, r.lane))[before:]
        for r in retired:
            p = heat.record.lanes[r.lane]
            label = self.plan.rules[p.rule].label
            self._tell(LaneRetired(p.number, label, p.lr, p.seed, r.step, r.last_finite_step, r.reason))

    def _replay(self, record: HeatRecord) -> None:
        for e in range(record.epoch):
            self._tell_epoch(record, e, 0.0)
        for r in record.results:
            if r.status == "retired":
                self._tell(LaneRetired(r.lane, r.rule, r.lr, r.seed, r.retired_step or 0, r.last_finite_step or 0, r.reason))
