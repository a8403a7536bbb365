"""A set-up in training that can be stopped and taken up again."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from slalom.doctor.fixes import Change
from slalom.doctor.repairing.yardstick import Yardstick
from slalom.doctor.run import Run
from slalom.doctor.setup import Pair, Setup

PATIENCE = 0.2  # of the epochs without a better validation loss: training with early stopping ends
LEAST_PATIENCE = 3
NEAR = 0.05  # of the lowest loss: epochs so near to it are told apart by the share of right answers
LOOKS, FULL_LOOKS = 25, 8  # looks of a run at its validation rows, and at training rows as well, at most


@dataclass
class Curve:
    """Looks at a run: steps, and the yardstick on training and validation rows (NaN without them)."""

    step: list[int] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    val: list[float] = field(default_factory=list)

    def add(self, step: int, train: float, val: float) -> None:
        if not self.step or self.step[-1] != step:
            self.step.append(step)
            self.train.append(train)
            self.val.append(val)

    def to_dict(self) -> dict[str, list[Any]]:
        return {"step": list(self.step), "train": list(self.train), "val": list(self.val)}


class Branch:
    """Trains a change's set-up in pieces, keeping the weights of the best epoch; always the same for the same set-up.

    `rows`: training and validation rows that it is measured on, the caller's own. A model, loss or optimizer that raises ends
    the branch (`failed` says why), as does a loss that is not finite.
    """

    def __init__(self, change: Change, yardstick: Yardstick, rows: tuple[Pair, Pair | None], name: str = "") -> None:
        self.change, self.yardstick, self.rows, self.name = change, yardstick, rows, name
        self.setup: Setup = change.setup
        self.step, self.failed = 0, ""
        self.curve = Curve()
        self.best, self.best_epoch = math.inf, 0
        self.ended = self.reused = False
        self._right = math.nan
        self._best_state: dict[str, Any] | None = None
        self._epoch = 0
        self._feed: Iterator[Pair] = iter(())
        self._left = 0
        torch.manual_seed(self.setup.seed)
        try:
            self.model = self.setup.fresh().train()
            self.optimizer = self.setup.optimizer(self.model)
            self.schedule = None if self.setup.schedule is None else self.setup.schedule(self.optimizer)
        except Exception as error:
            self._fail(error)
        self._random = torch.get_rng_state()

    @property
    def alive(self) -> bool:
        return not self.failed and not self.ended

    def score(self) -> float:
        """How good it is now, lower is better: the mean of training and validation loss, or the one that there is."""
        if self.failed:
            return math.inf
        train, val = self.look(full=True)
        return train if math.isnan(val) else 0.5 * (train + val)

    def look(self, full: bool) -> tuple[float, float]:
        """The yardstick on training rows (`full`, or where there are no others) and validation rows, also put on the curve."""
        train_rows, val_rows = self.rows
        train = self.yardstick.of(self.model, train_rows) if full or val_rows is None else math.nan
        val = math.nan if val_rows is None else self.yardstick.of(self.model, val_rows)
        self.curve.add(self.step, train, val)
        return train, val

    def advance(self, until: int) -> None:
        """Trains on until this step, or its end."""
        torch.set_rng_state(self._random)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                while self.alive and self.step < min(until, self.setup.steps):
                    self._one_step()
        except Exception as error:  # the caller's model, loss or optimizer does not take this change
            self._fail(error)
        if self.step >= self.setup.steps:
            self.ended = True
        self._random = torch.get_rng_state()

    def take_over(self, run: Run) -> None:
        """Takes a run of this very set-up, trained to its end elsewhere, for its own."""
        self.model, self.ended, self.reused = run.model, True, True
        self.step = len(run.losses)
        for look in run.looks[:-1]:
            self.curve.add(look.step, look.train, look.val)
        train, val = self.look(full=True)
        self.best, self.best_epoch = train if math.isnan(val) else val, self.setup.epochs

    def _one_step(self) -> None:
        if self._left == 0:
            self._feed, self._left = self.setup.batches(self._epoch), len(self.setup.order(self._epoch))
        x, y = next(self._feed)
        self.optimizer.zero_grad()
        loss: Tensor = self.setup.loss_fn(self.model(x), y)
        if not math.isfinite(float(loss.detach())):
            raise FloatingPointError(f"the loss is not finite at step {self.step}")
        loss.backward()  # type: ignore[no-untyped-call]
        if self.setup.before_step is not None:
            self.setup.before_step(self.model)
        self.optimizer.step()
        self.step += 1
        self._left -= 1
        if self._left == 0:
            self._epoch_ended()

    def _epoch_ended(self) -> None:
        self._epoch += 1
        epochs = self.setup.epochs
        if self._epoch % max(1, epochs // LOOKS) and self._epoch < epochs:
            self._scheduled(self.best)
            return
        train, val = self.look(self._epoch % max(1, epochs // FULL_LOOKS) == 0 or self._epoch == epochs)
        told = train if math.isnan(val) else val
        self._scheduled(told)
        right = self.yardstick.right(self.model, self.rows[0] if self.rows[1] is None else self.rows[1])
        if self._better(told, right):
            self.best, self.best_epoch, self._right = told, self._epoch, right
            self._best_state = copy.deepcopy(self.model.state_dict())
        patience = max(LEAST_PATIENCE, round(PATIENCE * self.setup.epochs))
        if self.change.keep_best and self._epoch - self.best_epoch >= patience:
            self.ended = True

    def _better(self, told: float, right: float) -> bool:
        """By the loss; among losses that are nearly the same, by the share of right answers, where there is one."""
        if not math.isfinite(told) or not math.isfinite(self.best):
            return told < self.best
        near = NEAR * abs(self.best)
        if abs(told - self.best) > near or math.isnan(right) or right == self._right:
            return told < self.best
        return right > self._right

    def _scheduled(self, told: float) -> None:
        if isinstance(self.schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.schedule.step(told)
        elif self.schedule is not None:
            self.schedule.step()

    def finish(self) -> float:
        """Puts the weights of the best epoch in the model; its loss there. Infinite where it has failed or has no epoch."""
        if not math.isfinite(self.best):
            return math.inf
        if self._best_state is not None:
            self.model.load_state_dict(self._best_state)
        self.model.eval()
        return self.best

    def _fail(self, error: BaseException) -> None:
        self.failed = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        self.ended = True
