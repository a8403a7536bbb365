"""Trains a set-up as it stands, noting losses, gradients and updates; a look at the model after each epoch."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from slalom.core.errors import BadValueError, SlalomError
from slalom.doctor.run.record import Look, Run
from slalom.doctor.run.skill import outputs_of, right, sample
from slalom.doctor.setup import Pair, Setup
from slalom.engines.inside import norms

FIRST, LOOKS = 5, 40  # steps at the start whose updates are all measured; looks of a run, about


class ForwardError(SlalomError, RuntimeError):
    """The caller's own model, loss or optimizer raised; `stage` says which, `cause` what."""

    def __init__(self, stage: str, step: int, cause: BaseException) -> None:
        super().__init__(
            f"{stage} raised {type(cause).__name__} at step {step}: {str(cause).splitlines()[0] if str(cause) else ''}"
        )
        self.stage, self.step, self.cause = stage, step, cause


def train(setup: Setup, *, steps: int | None = None, loss_fn: Any = None, watch: bool = False, looks: int = LOOKS,
          at: Callable[[int, nn.Module], None] | None = None, enough: Callable[[Run], bool] | None = None) -> Run:  # fmt: skip
    """Trains a fresh copy of the set-up's model for `steps` (the whole run by default).

    `loss_fn`: what the looks measure with, by default the set-up's (a fix may train on another). `watch`: gradients and
    updates by
    parameter too. `looks`: about how many there are; `at(step, model)`: called at each. `enough(run)`: asked after each look,
    ends the run where it is true. Torch's random state is seeded by the set-up's seed: put yours back.
    """
    judge = setup.loss_fn if loss_fn is None else loss_fn
    model = setup.fresh().train()
    torch.manual_seed(setup.seed)
    optimizer = _made("optimizer", setup.optimizer, model)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise BadValueError(f"optimizer(model) must return a torch.optim.Optimizer, got {type(optimizer).__name__}")
    schedule = None if setup.schedule is None else _made("schedule", setup.schedule, optimizer)
    named = dict(model.named_parameters())
    run = Run(model, tuple(named))
    start = [p.detach().clone() for p in named.values()]
    missing = dict.fromkeys(named, True)
    parts = sample(setup.train), None if setup.val is None else sample(setup.val)
    total = setup.steps if steps is None else min(steps, setup.steps)
    every = max(1, setup.steps // looks)
    run.looks.append(_look(0, model, judge, *parts))
    if at is not None:
        at(0, model)
    done = 0
    for given, whole in _epochs(setup, total):
        for x, y in given:
            before = time.perf_counter()
            loss = _backward(model, setup, optimizer, x, y, done)
            value = float(loss.detach())
            run.losses.append(value)
            if not math.isfinite(value):
                run.broke = done
                break
            if watch:
                run.norms.append(_norm([p.grad for p in named.values() if p.grad is not None]))
                _note(run, named, missing)
            measured = watch and (done < FIRST or done % every == 0)
            old = [p.detach().clone() for p in named.values()] if measured else []
            if setup.before_step is not None:
                setup.before_step(model)
            _stepped(optimizer, done)
            run.seconds += time.perf_counter() - before
            if measured:
                run.ratios[done] = [_ratio(a, p.detach()) for a, p in zip(old, named.values(), strict=True)]
            done += 1
            if done % every == 0 and done < total:
                run.looks.append(_look(done, model, judge, *parts))
                if at is not None:
                    at(done, model)
                if enough is not None and enough(run):
                    run.cut = True
                    break
        run.rates.append(max(float(g["lr"]) for g in optimizer.param_groups))
        if run.broke is not None or run.cut:
            break
        if schedule is not None and whole:
            plateau = isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau) and run.looks[-1].step < done
            _scheduled(schedule, (_look(done, model, judge, *parts) if plateau else run.looks[-1]).val)
    if run.looks[-1].step < done or run.broke is not None or not done:
        run.looks.append(_look(done, model, judge, *parts))
        if at is not None:
            at(done, model)
    run.untouched = tuple(n for n, p, q in zip(named, named.values(), start, strict=True) if torch.equal(p.detach(), q))
    run.without_gradient = tuple(n for n, gone in missing.items() if gone) if watch else ()
    return run


def _epochs(setup: Setup, total: int) -> Iterator[tuple[Iterator[Pair], bool]]:
    left = total
    epoch = 0
    while left > 0:
        order = setup.order(epoch)[:left]
        left -= len(order)
        x, y = setup.train
        yield ((x[rows], y[rows]) for rows in order), len(order) == setup.steps_per_epoch
        epoch += 1


def _made(stage: str, make: Callable[[Any], Any], argument: Any) -> Any:
    try:
        return make(argument)
    except Exception as error:
        raise ForwardError(stage, 0, error) from error


def _backward(model: nn.Module, setup: Setup, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, step: int) -> Tensor:
    optimizer.zero_grad()
    stage = "model"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs = model(x)
            stage = "loss_fn"
            loss = setup.loss_fn(outputs, y)
            if not isinstance(loss, Tensor) or loss.numel() != 1:
                got = f"a tensor {list(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
                raise ValueError(f"loss_fn must return one number, got {got}")
            stage = "backward"
            if math.isfinite(float(loss.detach())):
                loss.backward()  # type: ignore[no-untyped-call]
    except Exception as error:
        raise ForwardError(stage, step, error) from error
    return loss


def _stepped(optimizer: torch.optim.Optimizer, step: int) -> None:
    try:
        optimizer.step()
    except Exception as error:
        raise ForwardError("optimizer", step, error) from error


def _scheduled(schedule: Any, val: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
            schedule.step(val)
        else:
            schedule.step()


def _look(step: int, model: nn.Module, loss_fn: Any, train_part: Pair, val_part: Pair | None) -> Look:
    def of(part: Pair | None) -> tuple[float, float]:
        if part is None:
            return math.nan, math.nan
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                outputs = outputs_of(model, part[0])
                return float(loss_fn(outputs, part[1])), right(outputs, part[1])
            except Exception as error:
                raise ForwardError("evaluation", step, error) from error

    train_loss, train_right = of(train_part)
    val_loss, val_right = of(val_part)
    return Look(step, train_loss, val_loss, train_right, val_right)


def _norm(grads: list[Tensor]) -> float:
    if not grads:
        return 0.0
    return float(torch.stack(norms(grads)).norm())


def _note(run: Run, named: dict[str, nn.Parameter], missing: dict[str, bool]) -> None:
    row = []
    for name, p in named.items():
        if p.grad is None:
            row.append(math.nan)
        else:
            missing[name] = False
            row.append(float(p.grad.norm()))
    run.layers.append(row)


def _ratio(old: Tensor, new: Tensor) -> float:
    weight, change = float(old.norm()), float((new - old).norm())
    return change / weight if weight else (math.inf if change else 0.0)
