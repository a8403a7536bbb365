"""Loggers by their names, and several of them beside a view."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slalom.core.errors import BadValueError, unknown_name
from slalom.tune.events import Event
from slalom.tune.history import History
from slalom.tune.loggers.base import TrialLogger

LOGGERS = {"tensorboard": "TensorBoard", "mlflow": "MLflow", "wandb": "WandB"}
Log = str | TrialLogger | Sequence[str | TrialLogger] | None


def loggers_of(given: Log, directory: str | os.PathLike[str] | None) -> list[TrialLogger]:
    """The loggers of these names, their files in the run directory (in memory: under `runs`); MissingExtraError without one."""
    import importlib

    made: list[TrialLogger] = []
    many = [] if given is None else [given] if isinstance(given, str | TrialLogger) else list(given)
    for one in many:
        if isinstance(one, TrialLogger):
            made.append(one)
            continue
        if not isinstance(one, str):
            raise BadValueError(f"log must name one of {', '.join(LOGGERS)}, or be a TrialLogger, got {one!r}")
        if one not in LOGGERS:
            raise unknown_name("logger", one, LOGGERS)
        kind = getattr(importlib.import_module(f"slalom.tune.loggers.{one}"), LOGGERS[one])
        made.append(kind(Path(directory or "runs") / one))
    return made


class Together:
    """Hands each event to the loggers, then to the view. A logger that fails is left out with a warning: the search goes on."""

    def __init__(self, loggers: Sequence[TrialLogger], view: Callable[[Event], None] | None) -> None:
        self.loggers, self.view = list(loggers), view
        self._history: History | None = None

    @property
    def history(self) -> History | None:
        """The search's, for each that looks at it."""
        return self._history

    @history.setter
    def history(self, history: History) -> None:
        self._history = history
        for one in [*self.loggers, self.view]:
            if one is not None and (isinstance(one, TrialLogger) or hasattr(one, "history")):
                one.history = history

    def _each(self, work: Callable[[TrialLogger], Any]) -> None:
        for logger in list(self.loggers):
            try:
                work(logger)
            except Exception as error:
                self.loggers.remove(logger)
                said = f"{type(logger).__name__} failed and is told no more: {type(error).__name__}: {error}"
                warnings.warn(said, stacklevel=2)

    def __call__(self, event: Event) -> None:
        self._each(lambda logger: logger(event))
        if self.view is not None:
            self.view(event)

    def close(self) -> None:
        """The search has ended, or was stopped."""
        self._each(lambda logger: logger.close())
