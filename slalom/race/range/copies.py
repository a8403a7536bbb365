"""Runs as copies of a module and its optimizer, trained one after another: for what lanes cannot train.

That is an optimizer that is an object (its groups, their ratios and its state are kept), a training step of one's own, and
models that do not live in this machine's memory as float32 or float64.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from slalom.core.errors import BadValueError
from slalom.engines.lanes.counter import lane_key
from slalom.engines.lanes.layout import initialise
from slalom.engines.lanes.losses import Loss, one_loss
from slalom.race.range.heats import Floats, Run
from slalom.race.range.stream import Stream, pair

Step = Callable[[nn.Module, torch.optim.Optimizer, Any], Any]
Build = Callable[[nn.Module], torch.optim.Optimizer]


@dataclass
class CopiesSubject:
    """`model`: a module, copied, or a factory, run under each seed. `optimizer`: an object on the module's parameters, copied
    along with it, or a function that makes one for a module. `step`: the person's own, or None for the usual one.
    """

    name: str
    model: nn.Module | Callable[[], nn.Module]
    optimizer: torch.optim.Optimizer | Build
    stream: Stream
    loss: str | Loss | None
    step: Step | None
    clip: float | None
    default_lr: float | None
    notes: list[str]

    @property
    def per_epoch(self) -> int:
        return self.stream.per_epoch

    def start(self, runs: Sequence[Run]) -> CopiesHeat:
        return CopiesHeat(self, [_Copy.of(self, run) for run in runs])


@dataclass
class CopiesHeat:
    subject: CopiesSubject
    copies: list[_Copy]

    def advance(self, steps: int) -> Floats:
        return np.stack([copy.advance(steps) for copy in self.copies], axis=1)

    def only(self, numbers: Sequence[int]) -> CopiesHeat:
        return CopiesHeat(self.subject, [self.copies[i] for i in numbers])

    def accuracy(self) -> Floats:
        return np.array([copy.accuracy() for copy in self.copies])


@dataclass
class _Copy:
    subject: CopiesSubject
    run: Run
    model: nn.Module
    optimizer: torch.optim.Optimizer
    shares: list[float] = field(default_factory=list)  # each group's rate over the largest
    t: int = 0
    alive: bool = True

    @classmethod
    def of(cls, subject: CopiesSubject, run: Run) -> _Copy:
        if isinstance(subject.optimizer, torch.optim.Optimizer):
            model, optimizer = copy.deepcopy((subject.model, subject.optimizer))  # together: the copy steps the copy
            assert isinstance(model, nn.Module)
        else:
            given = subject.model
            model = copy.deepcopy(given) if isinstance(given, nn.Module) else initialise(given, run.seed)
            optimizer = subject.optimizer(model)
        return cls(subject, run, model.train(), optimizer, group_shares(optimizer))

    def _set_rate(self) -> None:
        lr = self.run.lr * (1.0 if self.run.factor is None else self.run.factor(self.t))
        for group, share in zip(self.optimizer.param_groups, self.shares, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr * share)
            else:
                group["lr"] = lr * share

    def advance(self, steps: int) -> Floats:
        losses = np.full(steps, np.inf)
        for k in range(steps):
            if not self.alive:
                break
            self._set_rate()
            torch.manual_seed(lane_key(self.run.seed, self.t))  # all runs of a seed draw alike; the caller's state is put back
            batch = self.subject.stream.batch(self.run.seed, self.t)
            loss = self._loss_of_step(batch)
            self.t += 1
            losses[k] = loss if np.isfinite(loss) else np.inf
            self.alive = bool(np.isfinite(loss))
        return losses

    def _loss_of_step(self, batch: Any) -> float:
        try:
            if self.subject.step is not None:
                return _number(self.subject.step(self.model, self.optimizer, batch))
            return _number(self._usual_step(batch))
        except (RuntimeError, ValueError, ArithmeticError):
            # An optimizer may refuse what a diverged run hands it; a run that is still finite has another fault, to be told.
            if all(bool(torch.isfinite(p).all()) for p in self.model.parameters()):
                raise
            return float("nan")

    def _usual_step(self, batch: Any) -> Any:
        place = next(self.model.parameters()).device
        x, y = (part.to(place) for part in pair(batch))
        assert self.subject.loss is not None
        criterion = one_loss(self.subject.loss)

        def closure() -> Tensor:
            self.optimizer.zero_grad()
            loss = criterion(self.model(x), y)
            loss.backward()  # type: ignore[no-untyped-call]
            if self.subject.clip is not None:
                clip_grad_norm_(self.model.parameters(), self.subject.clip)
            return loss

        return self.optimizer.step(closure)  # type: ignore[arg-type]

    def accuracy(self) -> float:
        if not self.alive:
            return float("nan")
        right = total = 0
        self.model.eval()
        place = next(self.model.parameters()).device
        with torch.no_grad():
            for k in range(self.subject.per_epoch):
                x, y = pair(self.subject.stream.batch(self.run.seed, k))
                right += int((self.model(x.to(place)).argmax(-1) == y.to(place)).sum())
                total += y.numel()
        self.model.train()
        return right / total


def group_shares(optimizer: torch.optim.Optimizer) -> list[float]:
    """Each parameter group's learning rate over the largest among them."""
    name = type(optimizer).__name__
    if any("lr" not in group for group in optimizer.param_groups):
        raise BadValueError(f"{name} has a parameter group without an lr; the range test has nothing to set")
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    if max(rates) <= 0:
        raise BadValueError(f"every learning rate of {name} is 0, so groups have no ratio to keep; set one above 0 in each group")
    return [rate / max(rates) for rate in rates]


def _number(loss: Any) -> float:
    if isinstance(loss, Tensor) and loss.numel() == 1:
        return float(loss.detach())
    if isinstance(loss, int | float | np.floating) and not isinstance(loss, bool):
        return float(loss)
    got = f"a tensor {list(loss.shape)}" if isinstance(loss, Tensor) else f"{type(loss).__name__} {loss!r}"
    raise BadValueError(f"step must return the loss before the update, one number; got {got}")
