"""MLflow: a run for each trial in one experiment; by its client, so that no run of the person's own is touched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from slalom.tune.events import Started
from slalom.tune.history import Trial
from slalom.tune.loggers.base import TrialLogger, imported

STATUS = {"finished": "FINISHED", "diverged": "FAILED"}  # the others: KILLED


class MLflow(TrialLogger):
    """To `uri`, else MLFLOW_TRACKING_URI, else files in `folder`. `experiment`: its name; None: by model and data."""

    def __init__(self, folder: str | Path, uri: str | None = None, experiment: str | None = None) -> None:
        super().__init__(folder)
        library = imported("mlflow", "mlflow", "mlflow")
        self.client: Any = library.MlflowClient(
            tracking_uri=uri or os.environ.get("MLFLOW_TRACKING_URI") or self.folder.absolute().as_uri()
        )
        self.name, self.experiment, self.search = experiment, "", ""
        self.runs: dict[int, str] = {}

    def began(self, event: Started) -> None:
        name = self.name or f"{event.model} on {event.data}"
        known = self.client.get_experiment_by_name(name)
        self.experiment = self.client.create_experiment(name) if known is None else known.experiment_id
        self.search = event.directory or ""

    def trial(self, trial: Trial) -> None:
        tags = {"state": trial.state, "slalom.directory": self.search, "mlflow.runName": f"trial {trial.number}"}
        run = self.client.create_run(self.experiment, tags=tags).info.run_id
        self.runs[trial.number] = run
        for key, value in self.values(trial).items():
            self.client.log_param(run, key, value)
        for epoch, figures in self.curve(trial):
            for key, value in figures.items():
                self.client.log_metric(run, key, value, step=epoch)
        self.client.set_terminated(run, STATUS.get(trial.state, "KILLED"))

    def tested(self, winner: Trial, loss: float, metric: float) -> None:
        run = self.runs.get(winner.number)  # of a trial that ended before the search was resumed there is none
        if run is not None:
            self.client.set_tag(run, "winner", "true")
            self.client.log_metric(run, "test_loss", loss)
            self.client.log_metric(run, f"test_{self.metric}", metric)
