"""The result of a race: data, with the few views that everybody wants."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from slalom.core.errors import BadValueError, SlalomError
from slalom.core.files import whole_directory
from slalom.race import hooks
from slalom.race.compare.kits import kit_of
from slalom.race.compare.reading import Comparison
from slalom.race.events import Note
from slalom.race.heat import CURVES, Array, HeatRecord
from slalom.race.leaderboard import Leaderboard
from slalom.race.plan import Plan
from slalom.race.results import LaneResult, LeaderRow
from slalom.race.store import Store
from slalom.race.variants.axes import variant_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Curves:
    """Curves of all lanes, float32, NaN where a lane did not run: `[lanes, steps]` and `[lanes, epochs]`."""

    train_loss: Array
    grad_norm: Array
    val_loss: Array
    val_metric: Array
    steps_per_epoch: int


class RaceResult:
    """What `slalom.race` and `slalom.load` hand back.

    `lanes`: a record a lane. `directory`: the run directory, None for a race that was kept in memory.
    """

    def __init__(
        self, plan: Plan, environment: dict[str, Any], heats: Sequence[HeatRecord], notes: Sequence[str], store: Store | None,
        seconds: Mapping[tuple[int, int], float] | None = None,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._heats = list(heats)
        self._store = store
        self._seconds = dict(seconds or {})
        self.environment = environment
        self.notes = list(notes)
        self.lanes: list[LaneResult] = [r for h in self._heats for r in h.results]

    def __repr__(self) -> str:
        rules = len(self._plan.rules)
        return f"<race of {rules} rules, {len(self.lanes)} lanes, {self._plan.model_name} on {self._plan.data['name']}>"

    @property
    def plan(self) -> dict[str, Any]:
        """The plan as plain data."""
        return self._plan.model_dump()

    @property
    def data(self) -> dict[str, Any]:
        """What it ran on: name, task, sizes of the parts, notes."""
        return self._plan.data

    @property
    def metric(self) -> str:
        """Name of the metric."""
        return self._plan.metric

    @property
    def higher_is_better(self) -> bool:
        return self._plan.higher_is_better

    @property
    def directory(self) -> Path | None:
        return None if self._store is None else self._store.path

    def leaderboard(self) -> Leaderboard:
        """Each rule at its best learning rate, best first; see `Leaderboard`."""
        samples = (self.data["val"], self.data["test"]) if self._plan.counts else None
        return Leaderboard(self.lanes, self.metric, self.higher_is_better, samples)

    def comparison(self, baseline: str | None = None) -> Comparison:
        """Each method of the race's variants at its best strength against the baseline; see `Comparison`.

        `baseline`: a method's name; None: the comparison's own, `"none"` where a variant has nothing, else the first.
        """
        if baseline is None and self._plan.compare is not None:
            baseline = kit_of(self._plan.compare).baseline
        samples = self.data["test"] if self._plan.counts else None
        return Comparison(self.lanes, self.metric, self.higher_is_better, baseline, samples)

    @property
    def best(self) -> LeaderRow:
        """The leader's row."""
        board = self.leaderboard()
        if not len(board) or not board[0].seeds:
            raise SlalomError("no lane finished, so there is no best; see lanes for the step at which each retired")
        row: LeaderRow = board[0]
        return row

    def curves(self) -> Curves:
        """Curves of all lanes in the order of `lanes`."""
        widths = dict.fromkeys(CURVES, self._plan.epochs) | dict.fromkeys(("train_loss", "grad_norm"), self._plan.total_steps)
        none = {k: np.empty((0, widths[k]), dtype=np.float32) for k in CURVES}  # stopped before its first epoch had ended
        stacked = {k: np.concatenate([none[k], *(h.curves[k] for h in self._heats)]) for k in CURVES}
        return Curves(**stacked, steps_per_epoch=self._plan.steps_per_epoch)

    def seconds(self) -> npt.NDArray[np.float64]:
        """Wall-clock seconds since a lane's heat began, at the end of each epoch: `[lanes, epochs]`, NaN where unknown.

        The lanes of a heat train side by side and share its clock, so this compares heats, not rules. An epoch that ran before
        the race was stopped and resumed counts with the time it took then.
        """
        rows = []
        for heat in self._heats:
            took = [self._seconds.get((heat.number, epoch + 1), np.nan) for epoch in range(self._plan.epochs)]
            rows += [np.cumsum(took)] * len(heat.results)
        return np.array(rows, dtype=np.float64).reshape(len(self.lanes), self._plan.epochs)

    @cached_property
    def findings(self) -> dict[int, list[Any]]:
        """What is wrong with which lanes, as `slalom.doctor` reads it off their curves: lane number -> findings."""
        return {} if hooks.findings is None else hooks.findings(self)

    def to_frame(self) -> pd.DataFrame:
        """A row a lane: rule, lr, seed, status, train_loss, val_loss, val_metric, test_metric and more."""
        import pandas as pd

        rows = []
        for lane in self.lanes:
            row = asdict(lane)
            row["hypers"] = ", ".join(f"{k}={v!r}" for k, v in lane.hypers.items())
            row["variant"] = variant_text(dict(lane.variant))
            rows.append(row)
        return pd.DataFrame(rows, columns=[f.name for f in fields(LaneResult)])

    def weights(self, lane: int) -> dict[str, Tensor]:
        """A lane's final parameters and buffers by name (a retired lane's last finite ones); fits `load_state_dict`."""
        for heat in self._heats:
            for row, planned in enumerate(heat.lanes):
                if planned.number == lane:
                    if not heat.weights and self._store is not None:
                        heat.weights = self._store.read_weights(heat.number)
                    return {k: v[row].clone() for k, v in heat.weights.items()}
        if not self.lanes:
            raise BadValueError("no lane has run an epoch yet, so there are no weights")
        raise BadValueError(f"lane must be one of 0..{len(self.lanes) - 1}, got {lane!r}")

    def save(self, directory: str | os.PathLike[str]) -> Path:
        """Write the whole run to a new directory, which `slalom.load` reads."""
        target = Path(directory)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise BadValueError(f"{target} exists and is not an empty directory; name a new one")
        if self._store is not None:
            self._store.copy_to(target)
            return target
        with whole_directory(target) as temporary:
            store = Store(temporary)
            store.create(self._plan, self.environment)
            try:
                store.append([Note(text) for text in self.notes])
                for heat in self._heats:
                    store.finish_heat(heat)
            finally:
                store.close()
        return target

    def plot(self, path: str | os.PathLike[str] | None = None, **options: Any) -> Any:
        """A still picture as a matplotlib Figure, written to `path` where one is given; needs `pip install 'slalom[plot]'`.

        Training losses, and the validation metric over the learning rate. `theme`: "light" (default) or "dark"; `size`: (width,
        height) in inches. Errors: `MissingExtraError` without matplotlib.
        """
        if hooks.plot is None or hooks.save is None:
            raise SlalomError("pictures are drawn by slalom.figures; import slalom first")
        if path is not None:
            hooks.save(self, path, **options)
        return hooks.plot(self, **options)

    def _repr_html_(self) -> str | None:
        """For notebooks: the verdict, the leaderboard, and the picture where matplotlib is installed."""
        return None if hooks.inline is None else hooks.inline(self)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the page: one self-contained HTML file."""
        if hooks.report is None:
            raise SlalomError("the page is written by slalom.report; import slalom first")
        hooks.report(self, path)
        return Path(path)
