"""Runs a search: asks, gives out groups of lanes, compares at rungs, tells, and keeps everything on the way.

One driver owns the sampler and the journal; whoever trains only trains. The next batch is asked for while the last rung of
the one before is under way, so that the lanes do not wait for the sampler.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slalom.core.errors import BadValueError, SlalomError
from slalom.tune.bracket import Bracket
from slalom.tune.events import BatchAsked, Done, Event, Note, RungDone, Started, line_of
from slalom.tune.executors.base import Executor, Finished
from slalom.tune.history import History
from slalom.tune.plan import TunePlan
from slalom.tune.record import Record
from slalom.tune.samplers.base import Asked, Past, Sampler
from slalom.tune.space.space import Space
from slalom.tune.training.group import Member, Standing
from slalom.tune.training.problem import Problem

OnEvent = Callable[[Event], None]
TRIES = 4  # of one job, before a worker's death is taken for the job's own fault


@dataclass(frozen=True)
class Parts:
    """What a search is made of."""

    plan: TunePlan
    problem: Problem
    space: Space
    sampler: Sampler


class Driver:
    """One run of a plan. `record=None` keeps it in memory; a history that holds something is gone on with."""

    def __init__(
        self, parts: Parts, executor: Executor, history: History, record: Record | None, on_event: OnEvent | None
    ) -> None:
        self.plan, self.problem, self.space, self.sampler = parts.plan, parts.problem, parts.space, parts.sampler
        self.executor, self.history, self.record, self.on_event = executor, history, record, on_event
        history.budget = parts.plan.budget
        if on_event is not None and hasattr(on_event, "history"):
            on_event.history = history  # a view that draws from all that is known
        self.before = history.seconds
        self.begin = time.perf_counter()
        self.waiting = 0.0
        self.queue: list[Mapping[str, Any]] = []
        self.brackets: dict[int, Bracket] = {}
        self.tries: dict[tuple[int, int], int] = {}
        self.exhausted = False

    # -- telling ------------------------------------------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        """Since the search began, stops apart."""
        return self.before + time.perf_counter() - self.begin

    def tell(self, event: Event) -> None:
        """Into the history, the journal, and to whoever watches."""
        line = line_of(event)
        self.history.apply(line)
        if self.record is not None and not isinstance(event, Started):
            self.record.append([line])
        if self.on_event is not None:
            self.on_event(event)

    def note(self, text: str) -> None:
        """Said once."""
        if text not in self.history.notes:
            self.tell(Note(text))

    # -- running ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """The search, without the protocol at its end."""
        plan = self.plan
        self.tell(
            Started(
                None if self.record is None else str(self.record.path), plan.model_name, plan.data["name"], plan.method, plan.why,
                str(plan.budget), len(self.space), plan.lanes, plan.rungs, plan.metric, len(self.history.told()), self.before,
            )
        )  # fmt: skip
        for text in plan.notes:
            self.note(text)
        try:
            self._resume()
            while True:
                while self._room():
                    if not self._ask():
                        break
                over = self.executor.wait()
                if not over and not self.brackets:
                    break
                for finished in over:
                    self._take(finished)
        finally:
            self.executor.cancel()
            finish = getattr(self.sampler, "finish", None)
            if finish is not None:
                finish(self.history.pasts())

    def ended(self) -> Done:
        """The last event."""
        return Done(len(self.history.told()), self.seconds, self.history.sampling, self.waiting)

    def _over(self) -> bool:
        budget = self.plan.budget
        return budget.share(len(self.history.trials), self.seconds, self.history.lane_steps) >= 1

    def _room(self) -> bool:
        early = sum(not b.last for b in self.brackets.values())
        return not self.exhausted and early < self.executor.resources().workers and not self._over()

    def _resume(self) -> None:
        """Batches under way, from their last rung."""
        for number, at in sorted(self.history.batches.items()):
            trials = [t for t in self.history.trials if t.batch == number]
            rungs = at["rungs"] or self.plan.rungs
            bracket = Bracket.of(self.problem, number, [self._member(t.number) for t in trials], rungs)
            bracket.alive, bracket.rung = list(at["kept"]), at["rung"] + 1
            if at["rung"] >= 0 and self.record is not None:
                bracket.states = self.record.read_checkpoint(number, at["rung"])
            self._give_out(bracket)

    def _member(self, number: int) -> Member:
        trial = self.history.trials[number]
        return Member(number, trial.config, trial.seed, self.plan.seed if trial.order is None else trial.order)

    def _ask(self) -> bool:
        """The next batch; False where there is none."""
        number = 1 + max((t.batch for t in self.history.trials), default=-1)
        ladder = self.plan.ladders[number % len(self.plan.ladders)]
        left = ladder.lanes
        if self.plan.trials is not None:
            left = min(left, self.plan.trials - len(self.history.trials))
        begin, idle = time.perf_counter(), not self.brackets
        start = len(self.history.trials)
        hunches = [self.queue.pop(0) for _ in range(min(left, len(self.queue)))]
        points: list[tuple[Asked, bool]] = [
            (Asked(self.space.filled(h, self.plan.seed, start + i), {"enqueued": True}), True) for i, h in enumerate(hunches)
        ]
        if left > len(points):
            pasts = self.history.pasts() + [Past(start + i, a.point, attrs=a.attrs) for i, (a, _) in enumerate(points)]
            points += [(asked, False) for asked in self.sampler.ask(left - len(points), pasts)]
        seconds = time.perf_counter() - begin
        self.waiting += seconds if idle else 0.0
        if not points:
            self.exhausted = True
            return False
        trials = [
            {"number": start + i, "point": a.point, "attrs": a.attrs, "seed": self._seed(start + i), "enqueued": own}
            for i, (a, own) in enumerate(points)
        ]
        self.tell(BatchAsked(number, trials, seconds, ladder.rungs, self._order(number)))
        members = [self._member(start + i) for i in range(len(trials))]
        self._give_out(Bracket.of(self.problem, number, members, ladder.rungs))
        return True

    def _seed(self, number: int) -> int:
        return (self.plan.seed + 1_000_003 * (number + 1)) % 2**32

    def _order(self, batch: int) -> int:
        """Of the data. The same within a batch, so that its trials are compared under one; another for the next, since an order
        moves all results and one in which a good one cannot be had would be the whole search's."""
        return (self.plan.seed + 15_485_863 * batch) % 2**32

    def _give_out(self, bracket: Bracket) -> None:
        self.brackets[bracket.number] = bracket
        wants = not self.executor.resources().shared or self.record is not None
        for job in bracket.jobs(wants):
            self.executor.submit(job)

    def _take(self, over: Finished) -> None:
        bracket = self.brackets[over.job.batch]
        if over.error:
            self._again(over)
            return
        if not bracket.take(over):
            return
        stop = self.plan.budget.trials is None and self._over()
        lane_steps = self.history.lane_steps + bracket.steps(self.problem)
        epoch, rung = bracket.rungs[bracket.rung], bracket.rung
        states, on = bracket.decide(self.problem, self.plan.halving, stop)
        if self.record is not None and on:
            self.record.checkpoint(bracket.number, rung, bracket.states)
        standings = [self._standing(s) for s in sorted(bracket.standings.values(), key=lambda s: s.number)]
        told = {str(k): v for k, v in states.items()}
        self.tell(RungDone(bracket.number, rung, epoch, standings, told, on, self.seconds, lane_steps))
        if self.record is not None:
            self.record.drop_checkpoints(bracket.number, rung if on else None)
        if not on:
            del self.brackets[bracket.number]
            worker = getattr(self.executor, "worker", None)
            if worker is not None:
                worker.forget(bracket.number)
            return
        bracket.rung += 1
        self._give_out(bracket)

    def _standing(self, s: Standing) -> list[Any]:
        return [s.number, s.epoch, s.loss, s.metric, self.problem.told(s.loss, s.metric), s.diverged]

    def _again(self, over: Finished) -> None:
        """A worker died: its job is given out anew, from the last rung."""
        key = over.job.key
        self.tries[key] = self.tries.get(key, 0) + 1
        if self.tries[key] >= TRIES:
            raise SlalomError(f"a group of {len(over.job.keep)} lanes failed {TRIES} times: {over.error}")
        self.note(f"a worker died ({over.error}); its lanes went on from their last rung")
        self.executor.submit(over.job)

    def enqueue(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Points to try before the sampler's own; what they leave out is drawn."""
        for point in points:
            if not isinstance(point, Mapping):
                raise BadValueError(f"enqueue takes configurations as dicts, got {point!r}")
            self.space.filled(point, 0, 0)  # checked now
        self.queue += list(points)
