"""TensorBoard: a curve and a line of hypers for each trial, and the best so far."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from slalom.tune.events import Started
from slalom.tune.history import Trial
from slalom.tune.loggers.base import TrialLogger, imported


class TensorBoard(TrialLogger):
    """Event files in `folder`: `tensorboard --logdir FOLDER`."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder)
        imported("tensorboard", "tensorboard", "tensorboard")
        self.library: Any = imported("torch.utils.tensorboard", "tensorboard", "tensorboard")
        self.writer: Any = None
        self.best = math.inf

    def began(self, event: Started) -> None:
        self.writer = self.library.SummaryWriter(str(self.folder))  # makes files: not before the run directory is made

    def trial(self, trial: Trial) -> None:
        name = f"trial-{trial.number:04d}"
        for epoch, figures in self.curve(trial):
            for key, value in figures.items():
                self.writer.add_scalar(f"{name}/{key}", value, epoch)
        if trial.state == "finished" and math.isfinite(trial.loss):
            self.best = min(self.best, trial.loss)
            self.writer.add_scalar("search/best_val_loss", self.best, trial.number)
        hypers = {k: v if isinstance(v, bool | int | float | str) else str(v) for k, v in self.values(trial).items()}
        figures = self.curve(trial)[-1][1] if trial.rungs else {}
        self.writer.add_hparams(
            {**hypers, "state": trial.state}, {f"hparam/{k}": v for k, v in figures.items()}, run_name=name,
            global_step=trial.epoch,
        )  # fmt: skip

    def tested(self, winner: Trial, loss: float, metric: float) -> None:
        self.writer.add_scalar("test/loss", loss, winner.number)
        self.writer.add_scalar(f"test/{self.metric}", metric, winner.number)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
