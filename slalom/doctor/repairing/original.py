"""The run that is to be repaired, as it stands: its trained model, its loss, its curve."""

from __future__ import annotations

import copy
import math
from functools import cached_property
from typing import Any

from torch import nn

from slalom.doctor.repairing.branch import Curve
from slalom.doctor.repairing.yardstick import Yardstick
from slalom.doctor.run import ForwardError, train
from slalom.doctor.setup import Setup


class Original:
    """Taken from the examination's case where it is at hand; else trained again, and `cost` counts it, if the model is needed."""

    def __init__(self, setup: Setup, examination: Any, case: Any, yardstick: Yardstick) -> None:
        self.setup, self.examination, self.yardstick = setup, examination, yardstick
        self.run = None if case is None else case.__dict__.get("run")
        self.cost = 0.0

    @cached_property
    def model(self) -> nn.Module:
        """Trained as the set-up says, as far as it goes, in evaluation mode."""
        if self.run is None:
            try:
                self.run = train(self.setup)
                self.cost = len(self.run.losses) / max(1, self.setup.steps)
            except ForwardError:  # it cannot be trained at all
                return self.setup.fresh().eval()
        return copy.deepcopy(self.run.model).eval()

    @cached_property
    def loss(self) -> float:
        """The yardstick at its end; infinite where it broke, or cannot be trained."""
        curves = getattr(self.examination, "curves", None)
        val = () if curves is None else curves.val if self.setup.val is not None else curves.train
        if self.run is None and val and not self.yardstick.special:
            return float(val[-1]) if math.isfinite(val[-1]) else math.inf
        return self.yardstick.of(self.model, self.setup.val or self.setup.train)

    @cached_property
    def start(self) -> float:
        """The yardstick before the first step."""
        return self.yardstick.of(self.setup.fresh(), self.setup.val or self.setup.train)

    @cached_property
    def curve(self) -> Curve:
        made = Curve()
        curves = getattr(self.examination, "curves", None)
        if curves is not None:
            for look in zip(curves.steps, curves.train, curves.val, strict=True):
                made.add(*look)
        elif self.run is not None:
            for seen in self.run.looks:
                made.add(seen.step, seen.train, seen.val)
        return made
