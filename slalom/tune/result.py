"""The result of a search: the winner with its evidence."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from slalom.core.errors import SlalomError
from slalom.race import hooks
from slalom.tune.history import History, Trial, shown
from slalom.tune.plan import TunePlan
from slalom.tune.protocol.importance import Importance, importance
from slalom.tune.protocol.warnings import warnings_of
from slalom.tune.record import Record
from slalom.tune.space.space import Config
from slalom.tune.training.problem import Problem

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Figures:
    """Loss and metric over fresh seeds, in the data's own units: each seed's, mean and standard deviation."""

    loss: tuple[float, ...]
    metric: tuple[float, ...]
    name: str

    @property
    def mean(self) -> float:
        """Of the metric."""
        return float(np.mean(self.metric)) if self.metric else math.nan

    @property
    def sd(self) -> float:
        """Of the metric, from seed to seed."""
        return float(np.std(self.metric, ddof=1)) if len(self.metric) > 1 else math.nan

    @property
    def mean_loss(self) -> float:
        return float(np.mean(self.loss)) if self.loss else math.nan

    def __str__(self) -> str:
        if not self.metric:
            return "not measured"
        return f"{self.name} {self.mean:.4f} ± {self.sd:.4f} (loss {self.mean_loss:.4f}), {len(self.metric)} fresh seeds"


@dataclass(frozen=True)
class Optimism:
    """How much too good validation looked: the winner's figure in the search, its mean over fresh seeds, and on test.

    `total`: searched less test, in the direction of better: what one would have been wrong by. `luck`: its part that fresh seeds
    take away; `choice`: the part that choosing by validation leaves.
    """

    searched: float
    fresh: float
    test: float
    higher_is_better: bool

    @property
    def total(self) -> float:
        return (self.searched - self.test) * (1 if self.higher_is_better else -1)

    @property
    def luck(self) -> float:
        return (self.searched - self.fresh) * (1 if self.higher_is_better else -1)

    @property
    def choice(self) -> float:
        return (self.fresh - self.test) * (1 if self.higher_is_better else -1)

    def __str__(self) -> str:
        return (
            f"validation said {self.searched:.4f} in the search, {self.fresh:.4f} over fresh seeds; test says {self.test:.4f}: "
            f"optimism {self.total:+.4f} (luck {self.luck:+.4f}, choice {self.choice:+.4f})"
        )


class TuneResult:
    """What `slalom.tune` and `slalom.tune.load` hand back.

    `best`: the winning trial. `config`: its configuration. `validation`, `test`: figures over fresh seeds (test opened once, for
    the winner alone). `optimism`: how much too good validation looked. `importance`: what mattered. `warnings`: what to hear
    first. `trials`: all of them. `directory`: the run directory or None. `interrupted`: stopped before its end: the best so far,
    with no figure from fresh seeds and the test part unopened.
    """

    def __init__(
        self, plan: TunePlan, problem: Problem | None, history: History, record: Record | None, model: nn.Module | None = None,
        stopped: KeyboardInterrupt | None = None,
    ) -> None:  # fmt: skip
        self._plan, self._problem, self._history, self._record = plan, problem, history, record
        self._model = model
        self.stopped = stopped  # Ctrl-C or SIGTERM, if that ended it
        self._importance: Importance | None = None
        self.trials: list[Trial] = history.trials
        self.notes = list(dict.fromkeys([*plan.notes, *history.notes]))

    @property
    def plan(self) -> dict[str, Any]:
        """The plan as plain data."""
        return self._plan.model_dump()

    @property
    def history(self) -> History:
        """What the journal tells."""
        return self._history

    @property
    def directory(self) -> Path | None:
        return None if self._record is None else self._record.path

    @property
    def interrupted(self) -> bool:
        return self._history.tested is None

    @property
    def metric(self) -> str:
        """Name of the metric."""
        return self._plan.metric

    def ranking(self) -> list[Trial]:
        """Trials by validation in the search, best first: those that were trained longest."""
        return self._history.ranking()

    @property
    def best(self) -> Trial:
        """The winner: the best mean over fresh seeds, or, where the search was stopped, the best so far."""
        if self._history.confirmed is not None:
            return self.trials[int(self._history.confirmed["winner"])]
        ranking = self.ranking()
        if not ranking:
            raise SlalomError("no trial has come to a rung without diverging, so there is no best yet")
        return ranking[0]

    @property
    def config(self) -> Config:
        """The winner's configuration."""
        return dict(self.best.config)

    def _fresh(self, kind: str) -> Figures:
        if kind == "test":
            tested = self._history.tested or {"test_loss": [], "test_metric": []}
            values = tested["test_loss"], tested["test_metric"]
        else:
            rows: Sequence[dict[str, Any]] = (self._history.confirmed or {"finalists": []})["finalists"]
            own: dict[str, Any] = next((r for r in rows if r["number"] == self.best.number), {"val_loss": [], "val_metric": []})
            values = own["val_loss"], own["val_metric"]
        return Figures(tuple(map(float, values[0])), tuple(map(float, values[1])), self._plan.metric)

    @property
    def validation(self) -> Figures:
        """The winner on the validation part, over fresh seeds."""
        return self._fresh("validation")

    @property
    def test(self) -> Figures:
        """The winner on the test part, over the same seeds; empty where the search was stopped."""
        return self._fresh("test")

    @property
    def optimism(self) -> Optimism | None:
        """See `Optimism`; None where the test part was not opened."""
        if self._history.tested is None:
            return None
        return Optimism(self.best.metric, self.validation.mean, self.test.mean, self._plan.higher_is_better)

    @property
    def importance(self) -> Importance:
        """The share of the variance that each parameter explains, with its uncertainty."""
        if self._importance is None:
            problem = self._problem
            self._importance = Importance() if problem is None else importance(self._history, problem, self._plan.seed)
        return self._importance

    @property
    def warnings(self) -> list[str]:
        """What to hear before trusting the winner."""
        samples = self._plan.data["val"] if self._plan.counts else None
        winner = self.best.number if self._history.ranking() else None
        return warnings_of(self._history, winner, samples, self._plan.higher_is_better)

    @property
    def model(self) -> nn.Module:
        """The winner's model of the fresh seed that did best on validation, in evaluation mode."""
        if self._model is None:
            if self._record is None or self._problem is None or self._history.tested is None:
                raise SlalomError("there is no trained model: the search was stopped before its finalists were trained anew")
            made = self._problem.family.module(self.config, int(self._history.tested["model_seed"]))
            made.load_state_dict(self._record.read_weights())
            self._model = made.to(self._problem.dtype).eval()
        return self._model

    def to_frame(self) -> pd.DataFrame:
        """A row a trial: number, state, epoch, validation loss and metric, batch, and its configuration."""
        import pandas as pd

        rows = [
            {"number": t.number, "state": t.state, "epoch": t.epoch, "val_loss": t.loss, "val_metric": t.metric, "value": t.value,
             "batch": t.batch, "enqueued": t.enqueued, "reason": t.reason, **self._history.space.varying(t.config)}
            for t in self.trials
        ]  # fmt: skip
        first = ["number", "state", "epoch", "val_loss", "val_metric", "value", "batch", "enqueued", "reason"]
        return pd.DataFrame(rows, columns=[*first, *self._history.space.params])

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the page: one self-contained HTML file with history, importance, slices, parallel coordinates and a contour."""
        if hooks.search_report is None:
            raise SlalomError("the page is written by slalom.report; import slalom first")
        hooks.search_report(self, path)
        return Path(path)

    def export(self, storage: str, name: str = "slalom") -> None:
        """Write every trial to an Optuna study in a database (`sqlite:///study.db`), for its dashboard."""
        from slalom.tune.export import export

        export(self._history, self._plan, storage, name)

    def __repr__(self) -> str:
        return f"<search of {len(self.trials)} trials, {self._plan.model_name} on {self._plan.data['name']}>"

    def __str__(self) -> str:
        plan, history = self._plan, self._history
        states = [t.state for t in self.trials]
        counts = ", ".join(
            f"{states.count(s)} {s}" for s in ("finished", "pruned", "diverged", "stopped", "running") if s in states
        )
        what = f"{len(self.trials)} trials of {plan.model_name} on {plan.data['name']}"
        head = f"{what} by {plan.method} in {history.seconds:.1f} s ({counts})"
        if not history.ranking():
            return f"{head}\nno trial has come to a rung yet"
        lines = [head, f"best        trial {self.best.number}: {shown(history.space.varying(self.config))}"]
        if self.interrupted:
            lines.append(f"so far      {plan.metric} {self.best.metric:.4f}, loss {self.best.loss:.4f} after {self.best.epoch} "
                         "epochs; the test part is unopened")  # fmt: skip
        else:
            lines += [f"validation  {self.validation}", f"test        {self.test}", f"optimism    {self.optimism}"]
        if len(self.importance):
            lines.append(str(self.importance))
        lines += [f"warning: {text}" for text in self.warnings]
        return "\n".join(lines)
