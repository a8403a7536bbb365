"""Runs as lanes: any rule or torch.optim class, with its model and a loss of outputs and targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from slalom.engines.lanes import Lane, Lanes
from slalom.engines.lanes.losses import Loss
from slalom.race.entrants import Entrant
from slalom.race.metrics import METRICS
from slalom.race.range.heats import Floats, Run, finite_or_inf
from slalom.race.range.stream import Stream


@dataclass
class StackedSubject:
    """`model`: a factory, run under each seed, or one of a module's copies. `held`: what accuracy is measured on, or None."""

    model: Callable[[], nn.Module]
    entrant: Entrant
    stream: Stream
    loss: str | Loss
    dtype: torch.dtype
    clip: float | None
    held: tuple[Tensor, Tensor] | None
    notes: list[str]

    @property
    def name(self) -> str:
        return self.entrant.label

    @property
    def per_epoch(self) -> int:
        return self.stream.per_epoch

    @property
    def default_lr(self) -> float | None:
        return self.entrant.default_lr

    def start(self, runs: Sequence[Run]) -> StackedHeat:
        lanes = [Lane(self.entrant.optimizer(r.lr), r.seed, r.factor, self.clip) for r in runs]
        x, y, rows = self.stream.feed([runs[0].seed], 0, 1)
        made = Lanes(self.model, lanes, loss=self.loss, example=(x[rows[0]], y[rows[0]]), dtype=self.dtype)
        self.notes += [note for note in made.notes if note not in self.notes]
        return StackedHeat(self, made)


@dataclass
class StackedHeat:
    subject: StackedSubject
    lanes: Lanes

    def advance(self, steps: int) -> Floats:
        seeds = [lane.seed for lane in self.lanes.lanes]
        x, y, rows = self.subject.stream.feed(seeds, self.lanes.t, self.lanes.t + steps)
        return finite_or_inf(self.lanes.epoch(x, y, rows)[0])

    def only(self, numbers: Sequence[int]) -> StackedHeat:
        return StackedHeat(self.subject, self.lanes.only(numbers))

    def accuracy(self) -> Floats:
        x, y = self.subject.held or self.subject.stream.feed([self.lanes.lanes[0].seed], 0, self.subject.per_epoch)[:2]
        return np.asarray(self.lanes.evaluate(x, y, [METRICS["accuracy"].measure])[0])
