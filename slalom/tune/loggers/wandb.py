"""Weights & Biases: a run for each trial, grouped by search; offline unless it is told otherwise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from slalom.tune.events import Started
from slalom.tune.history import Trial
from slalom.tune.loggers.base import TrialLogger, imported


class WandB(TrialLogger):
    """`mode`: `offline` (files in `folder`, for `wandb sync`), `online` or `disabled`; None: WANDB_MODE, else offline."""

    def __init__(self, folder: str | Path, project: str = "slalom", mode: str | None = None) -> None:
        super().__init__(folder)
        self.library: Any = imported("wandb", "wandb", "wandb")
        self.project, self.group = project, ""
        self.mode = mode or os.environ.get("WANDB_MODE") or "offline"

    def began(self, event: Started) -> None:
        self.group = Path(event.directory).name if event.directory else f"{event.model} on {event.data}"
        self.folder.mkdir(parents=True, exist_ok=True)

    def _run(self, name: str, trial: Trial) -> Any:
        return self.library.init(
            project=self.project, group=self.group, name=name, config=self.values(trial), tags=[trial.state], mode=self.mode,
            dir=str(self.folder), reinit=True,
        )  # fmt: skip

    def trial(self, trial: Trial) -> None:
        run = self._run(f"trial {trial.number}", trial)
        for epoch, figures in self.curve(trial):
            run.log(figures, step=epoch)
        run.finish()

    def tested(self, winner: Trial, loss: float, metric: float) -> None:
        run = self._run(f"winner, trial {winner.number}", winner)
        run.summary.update({"test_loss": loss, f"test_{self.metric}": metric})
        run.finish()
