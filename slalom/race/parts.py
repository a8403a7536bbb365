"""The Python objects that a plan names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from slalom.data.record import Data
from slalom.engines.lanes.losses import Loss
from slalom.race.metrics import Metric
from slalom.race.variants.made import Made
from slalom.schedules import Schedule


@dataclass(frozen=True)
class Parts:
    """`factory`: of the race's own model; `made`: what each rule of the plan is run with, in the plan's order."""

    factory: Callable[[], nn.Module]
    data: Data
    metric: Metric
    loss: str | Loss
    schedule: Schedule | None
    made: list[Made]
