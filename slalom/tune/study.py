"""Guess and check: configurations are asked for and told about one by one, by whoever trains them.

For what `slalom.tune` does not train itself: a program of another kind, a measurement, a hunch. The same spaces and samplers, and
the same record: a study with a directory goes on after a kill.
"""

from __future__ import annotations

import math
import os
from typing import Any

from slalom.core.errors import BadValueError
from slalom.race.environment import environment
from slalom.tune.budget import Budget
from slalom.tune.events import BatchAsked, RungDone, line_of
from slalom.tune.history import History, Trial
from slalom.tune.plan import make_plan
from slalom.tune.record import Record
from slalom.tune.samplers import Asked, Past, chosen, sampler_of
from slalom.tune.space.space import Space, as_space

LAID_OUT = 100
WORST = 1e6  # what a trial that failed is told as, until there is a worst to go by


class Study:
    """`study.ask()` gives a trial, `study.tell(number, value)` its result; what is smaller is better.

    `space`: as in `slalom.tune`. `method`: of `slalom.tune`; `manual` gives only what was enqueued. `trials`: how many it is
    laid out for. `directory`: a new one, or that of a study with the same space, which then goes on: trials that were asked
    for and not told are in `running`.

    >>> from slalom.tune import Float
    >>> study = Study({"x": Float(-2, 2)}, seed=3)
    >>> study.enqueue(x=0.5)
    >>> for _ in range(12):
    ...     trial = study.ask()
    ...     study.tell(trial.number, (trial.config["x"] - 1) ** 2)
    >>> len(study.trials), study.trials[0].config, study.best.value < 0.3
    (12, {'x': 0.5}, True)
    """

    def __init__(
        self, space: Any, *, method: str = "auto", seed: int = 0, trials: int = LAID_OUT,
        directory: str | os.PathLike[str] | None = None,
    ) -> None:  # fmt: skip
        self.space: Space = as_space(space)
        how = chosen(method, self.space, trials)
        self.method, self.why, self.seed = how.method, how.why, seed
        self.sampler = sampler_of(how.method, self.space, seed, trials=trials, batch=8, points=None, storage=None)
        self.history = History(self.space, Budget(trials=trials))
        self.queue: list[dict[str, Any]] = []
        self.record = None if directory is None else Record(directory)
        if self.record is not None:
            self._open(self.record, trials)

    def _open(self, record: Record, trials: int) -> None:
        if not (record.path / "plan.json").exists():
            record.create(self._plan(trials), environment())
            return
        plan = record.plan()
        if plan.space != self.space.to_dict() or plan.seed != self.seed or plan.method != self.method:
            raise BadValueError(f"{record.path} is the study of another space, method or seed; name a new directory")
        record.lock()
        record.cut_torn_tail()
        self.history = History.of(self.space, record.journal())
        self.history.budget = plan.budget

    def _plan(self, trials: int) -> Any:
        return make_plan(
            model=None, model_name="study", data={"name": "measurements"}, data_source={}, space=self.space.to_dict(),
            trials=trials, method=self.method, why=self.why, lanes=1, epochs=1, halving=1.0, seed=self.seed, seeds=1,
            finalists=1, objective="loss", loss="told", metric="value", higher_is_better=False, batch_size=1,
            callables=["model", "data"],
        )  # fmt: skip

    def _tell(self, event: BatchAsked | RungDone) -> None:
        line = line_of(event)
        self.history.apply(line)
        if self.record is not None:
            self.record.append([line])

    def close(self) -> None:
        """Let go of the directory."""
        if self.record is not None:
            self.record.close()

    @property
    def trials(self) -> list[Trial]:
        """All trials in their order."""
        return self.history.trials

    @property
    def running(self) -> list[Trial]:
        """Trials asked for and not told."""
        return [t for t in self.trials if t.state == "running"]

    @property
    def best(self) -> Trial:
        """The trial with the least value."""
        ranking = self.history.ranking()
        if not ranking:
            raise BadValueError("no trial has been told yet")
        return ranking[0]

    def enqueue(self, **values: Any) -> None:
        """A configuration of yours, to be asked for next; what it leaves out is drawn."""
        self.space.filled(values, 0, 0)
        self.queue.append(values)

    def ask(self) -> Trial:
        """The next trial: yours first, then the sampler's. BadValueError where there is none left."""
        number = len(self.trials)
        if self.queue:
            made = Asked(self.space.filled(self.queue.pop(0), self.seed, number), {"enqueued": True})
        else:
            pasts = self.history.pasts()
            worst = max((p.value for p in pasts if p.value is not None), default=WORST)
            found = self.sampler.ask(1, [self._finite(p, worst) for p in pasts])
            if not found:
                raise BadValueError(f"{self.method} has no more points; enqueue one")
            made = found[0]
        own = bool(made.attrs.get("enqueued"))
        trial = {"number": number, "point": made.point, "attrs": made.attrs, "seed": number, "enqueued": own}
        self._tell(BatchAsked(number, [trial], 0.0, [1], self.seed))
        return self.trials[number]

    @staticmethod
    def _finite(past: Past, worst: float) -> Past:
        if past.value is None or math.isfinite(past.value):
            return past
        return Past(past.number, past.point, worst, past.epoch, past.finished, past.attrs, past.curve)

    def tell(self, number: int, value: float) -> None:
        """How a trial did; NaN or infinity counts as the worst so far."""
        if not 0 <= number < len(self.trials) or self.trials[number].state != "running":
            waiting = ", ".join(str(t.number) for t in self.running) or "none"
            raise BadValueError(f"trial {number!r} is not waiting for a result; those that are: {waiting}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadValueError(f"the result of trial {number} must be a number, got {value!r}")
        good = math.isfinite(value)
        told = float(value) if good else max((t.value for t in self.trials if t.value is not None), default=WORST)
        standing = [number, 1, float(value), float(value), told, "" if good else f"its value is {value}"]
        self._tell(RungDone(number, 0, 1, [standing], {str(number): "finished" if good else "diverged"}, [], 0.0, 0))
