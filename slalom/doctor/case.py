"""A set-up under examination: what was measured of it, each thing once and when first asked for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from slalom.doctor.fixes import Fix, candidates
from slalom.doctor.fixes.fix import Change
from slalom.doctor.probes.columns import Columns, Shift, class_counts, measured, shift
from slalom.doctor.probes.gradient_noise import gradient_noise
from slalom.doctor.probes.loss import LossFacts, loss_facts
from slalom.doctor.probes.signals import NOTHING, Signals, affine, signals
from slalom.doctor.probes.weights import Start, reset, starts
from slalom.doctor.run import Run, Skill, constant_loss, train
from slalom.doctor.run.branch import BRANCH_LOOKS, PLAIN, Outlook
from slalom.doctor.run.skill import outputs_of, sample
from slalom.doctor.setup import Pair, Setup

PROBED = 128  # rows of a batch that signals are measured on
NOISY = 64  # rows that the gradient's noise is measured on
GLANCES = 8  # times that they are measured in a run, about
STRANGE = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, AssertionError, NotImplementedError)
SETTLED = 0.2  # of a run at its end, over which its level is taken


@dataclass(frozen=True)
class Trial:
    """A counterfactual run: one thing changed, the same seed and batches. Skills as of the case's own run."""

    name: str
    change: Change
    run: Run
    train: float
    val: float


@dataclass
class Case:
    """`budget`: runs' worth of steps that trials may take."""

    setup: Setup
    budget: float
    spent: float = 0.0
    trials: dict[str, Trial] = field(default_factory=dict)
    glances: list[tuple[int, Signals]] = field(default_factory=list)
    clock: float = field(default_factory=time.perf_counter)

    # the data

    @cached_property
    def columns(self) -> Columns | None:
        return measured(self.setup.train[0])

    @cached_property
    def counts(self) -> list[int] | None:
        return class_counts(self.setup.train[1])

    @cached_property
    def shift(self) -> Shift | None:
        return None if self.setup.val is None else shift(self.setup.train, self.setup.val)

    # the model at its start

    @cached_property
    def batch(self) -> Pair:
        x, y = sample(self.setup.train, PROBED)
        return x, y

    @cached_property
    def outputs(self) -> Any:
        return outputs_of(self.setup.fresh(), self.batch[0])

    @cached_property
    def loss(self) -> LossFacts | None:
        if not isinstance(self.outputs, Tensor):
            return None
        return loss_facts(self.setup.loss_fn, self.outputs, self.batch[1])

    @cached_property
    def start(self) -> Signals:
        return self._signals(self.setup.fresh())

    def _signals(self, model: nn.Module) -> Signals:
        try:
            return signals(model, self.setup.loss_fn, *self.batch)
        except STRANGE:  # a graph that hooks disturb; the run itself says whether anything is wrong with it
            return NOTHING

    @cached_property
    def bend(self) -> float:
        """How far the model is from an affine map, at its start or its end, whichever is more."""
        x = self.batch[0]
        try:
            ends = [affine(self.setup.fresh(), x), affine(self.run.model, x)]
        except STRANGE:  # inputs that are no rows of data
            return math.nan
        known = [v for v in ends if math.isfinite(v)]
        return max(known) if known else math.nan

    @cached_property
    def weights(self) -> tuple[Start, ...]:
        try:
            return starts(self.setup.model, reset(self.setup.model, self.setup.seed))
        except STRANGE:  # layers that cannot be drawn anew, such as parametrised ones
            return ()

    @cached_property
    def noise(self) -> float:
        """The noise scale of the gradient at the start: the batch at which noise and signal are equal; NaN if unknown."""
        x, y = sample(self.setup.train, NOISY)
        try:
            return gradient_noise(self.setup.fresh(), self.setup.loss_fn, x, y).scale
        except STRANGE:
            return math.nan

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimizer as it starts, on a copy of the model."""
        return self.setup.optimizer(self.setup.fresh())

    def hyper(self, name: str) -> float:
        """The largest value of a hyper over the optimizer's groups; momentum also by the name that Adam has for it."""
        found = []
        for group in self.optimizer.param_groups:
            if name == "momentum" and "betas" in group:
                found.append(float(group["betas"][0]))
            elif group.get(name) is not None:
                found.append(float(group[name]))
        return max(found, default=0.0)

    # the run, and how good it is

    @cached_property
    def run(self) -> Run:
        """The caller's own run, watched."""
        steps = self.setup.steps
        marks = {round(steps * k / GLANCES) for k in range(GLANCES + 1)}

        def glance(step: int, model: nn.Module) -> None:
            due = [m for m in marks if m <= step]
            if due or step == steps:
                marks.difference_update(due)
                if all(bool(torch.isfinite(p).all()) for p in model.parameters()):
                    self.glances.append((step, self._signals(model)))

        return train(self.setup, watch=True, at=glance)

    @cached_property
    def skills(self) -> tuple[Skill, Skill | None]:
        return self._skill(self.setup.train), None if self.setup.val is None else self._skill(self.setup.val)

    def _skill(self, pair: Pair) -> Skill:
        y = sample(pair)[1]
        like = self.outputs
        if not isinstance(like, Tensor) or like.shape[:1] != self.batch[1].shape[:1]:
            return Skill(self.run.looks[0].train)
        loss_fn = self.setup.loss_fn
        if self.loss is not None and self.loss.linear:  # of log-probabilities: without their bound there is no least loss
            return Skill(constant_loss(lambda o, t: loss_fn(torch.log_softmax(o, 1), t), _like(like, y), y))
        return Skill(constant_loss(loss_fn, _like(like, y), y))

    def level(self, run: Run) -> tuple[float, float]:
        """Training and validation loss where a run ended: the median of its last looks, or what is not finite."""
        if run.broke is not None:
            return math.inf, math.inf
        last = [look for look in run.looks if look.step >= (1 - SETTLED) * run.end.step] or run.looks[-1:]
        return _median([look.train for look in last]), _median([look.val for look in last])

    def skill(self, run: Run) -> tuple[float, float]:
        """The same as skills; NaN without validation rows."""
        train_loss, val_loss = self.level(run)
        by_train, by_val = self.skills
        return by_train.of(train_loss), math.nan if by_val is None else by_val.of(val_loss)

    @cached_property
    def reached(self) -> tuple[float, float]:
        """Skill of the caller's own run on training and validation rows."""
        return self.skill(self.run)

    # experiments

    def affordable(self, runs: float = 1.0) -> bool:
        return self.spent + runs <= self.budget

    def tried(self, name: str, make: Callable[[Setup], Change | None], whole: bool = False) -> Trial | None:
        """The trial of a change, run when first asked for; None where it does not apply, cannot be paid, or cannot run.

        It ends as soon as its outcome is plain (`Outlook`), unless the `whole` of it is asked for.
        """
        if name in self.trials:
            return self.trials[name]
        if not self.affordable():
            return None
        try:
            change = make(self.setup)
            if change is None:
                return None
            outlook = None if whole else Outlook(change.setup.steps, self.reached, *self.skills)
            run = train(change.setup, loss_fn=self.setup.loss_fn, looks=BRANCH_LOOKS, enough=outlook)
        except STRANGE:
            return None  # a change that this model does not take says nothing of the set-up
        rows = change.setup.steps / self.setup.steps if change.setup.batch_size == self.setup.batch_size else 1.0
        self.spent += rows * len(run.losses) / max(1, change.setup.steps)
        made = Trial(name, change, run, *self.skill(run))
        self.trials[name] = made
        return made

    def fixed(self, label: str, most: int = 1) -> list[Trial]:
        """Trials of the first `most` fixes of a label that apply, until one explains all that is lacking."""
        found: list[Trial] = []
        for fix in candidates(label):
            if len(found) >= most or any(t.train >= PLAIN for t in found):
                break
            trial = self.trial(fix)
            if trial is not None:
                found.append(trial)
        return found

    def trial(self, fix: Fix) -> Trial | None:
        return self.tried(fix.name, fix.apply)


def _like(outputs: Tensor, y: Tensor) -> Tensor:
    return outputs[:1].expand(len(y), *outputs.shape[1:])


def _median(values: list[float]) -> float:
    ordered = sorted(math.inf if math.isnan(v) else v for v in values)
    return ordered[len(ordered) // 2]
