"""What a search trains on and how it is judged: everything beside the configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch

from slalom.core.errors import BadValueError
from slalom.data.record import Data
from slalom.engines.lanes.losses import Loss
from slalom.race.metrics import Metric
from slalom.tune.training.family import Family
from slalom.tune.training.folds import Folds, pooled

Objective = Literal["loss", "metric"]


@dataclass(frozen=True)
class Problem:
    """`epochs`: the most that a trial is trained for. `seed`: of the search; the order of the data follows from it."""

    data: Data
    family: Family
    loss: str | Loss
    metric: Metric
    epochs: int
    seed: int = 0
    objective: Objective = "loss"
    dtype: torch.dtype = torch.float32
    clip: float | None = None
    folds: Folds | None = None  # of k-fold validation
    defaults: dict[str, Any] = field(default_factory=dict)  # of what a configuration leaves out, such as batch_size

    def __post_init__(self) -> None:
        if self.objective not in ("loss", "metric"):
            raise BadValueError(f"objective must be 'loss' or 'metric', got {self.objective!r}")

    @property
    def rows(self) -> int:
        """Rows that a lane is trained on."""
        return len(self.data.train) if self.folds is None else int(self.folds.train.shape[1])

    @property
    def copies(self) -> int:
        """Lanes of a configuration: one a fold."""
        return 1 if self.folds is None else len(self.folds)

    def refit(self) -> Problem:
        """The problem on which the winner of a k-fold search is trained at last: all rows but those of the test part."""
        return self if self.folds is None else replace(self, data=pooled(self.data), folds=None)

    @property
    def ceiling(self) -> float:
        """What a diverged trial is told as, and no trial above: twice the loss of knowing nothing; finite, never NaN."""
        if self.objective == "metric":
            return 2.0
        return 2 * math.log(self.data.output_size) if self.data.task == "classification" else 2.0

    def told(self, loss: float, metric: float) -> float:
        """The number that samplers minimise."""
        value = loss
        if self.objective == "metric":
            value = (1 - metric) if self.metric.higher_is_better else metric
        return min(value, self.ceiling) if math.isfinite(value) else self.ceiling
