"""What loggers share: a trial is told when it ends, with all its rungs, since many are under way at a time."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

from slalom.core.errors import MissingExtraError
from slalom.tune.events import Done, Event, RungDone, Started, Tested
from slalom.tune.history import History, Trial


def imported(module: str, package: str, name: str) -> Any:
    """The module of an optional package; MissingExtraError says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(f"log={name!r} needs the package {package}: pip install {package}") from error


class TrialLogger:
    """Override `trial`, and `began`, `tested`, `close` where there is something to do.

    `folder`: where files go. `history`: everything that is known of the search; set before the first event.
    """

    history: History

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.metric = "metric"

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self.metric = event.metric
            self.began(event)
        elif isinstance(event, RungDone):
            for number in sorted(map(int, event.states)):
                self.trial(self.history.trials[number])
        elif isinstance(event, Tested):
            means = [sum(v) / len(v) for v in (event.test_loss, event.test_metric)]
            self.tested(self.history.trials[event.number], *means)
        elif isinstance(event, Done):
            self.close()

    def values(self, trial: Trial) -> dict[str, Any]:
        """What varies, as this trial has it."""
        return self.history.space.varying(trial.config)

    def curve(self, trial: Trial) -> list[tuple[int, dict[str, float]]]:
        """Epoch and figures of each rung that are numbers."""
        rows = [(epoch, {"val_loss": loss, f"val_{self.metric}": metric}) for epoch, loss, metric in trial.rungs]
        return [(epoch, {k: v for k, v in row.items() if math.isfinite(v)}) for epoch, row in rows]

    def began(self, event: Started) -> None:
        """The plan is fixed."""

    def trial(self, trial: Trial) -> None:
        """A trial has ended: finished, pruned, diverged or stopped."""
        raise NotImplementedError

    def tested(self, winner: Trial, loss: float, metric: float) -> None:
        """The winner's means over fresh seeds on the test part."""

    def close(self) -> None:
        """The search has ended or was stopped; may be called twice."""
