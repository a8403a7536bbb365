"""Changing an optimizer that a function makes: the function is kept, and what it makes is changed before its first step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from slalom.doctor.setup import Setup

Group = dict[str, Any]


def steered(setup: Setup, change: Callable[[Group], None]) -> Setup:
    """The set-up with `change` made to every parameter group of its optimizer."""
    old = setup.optimizer

    def make(model: nn.Module) -> torch.optim.Optimizer:
        optimizer = old(model)
        for group in optimizer.param_groups:
            change(group)
        return optimizer

    return setup.changed(optimizer=make)


def scaled_rate(factor: float) -> Callable[[Group], None]:
    """A change that multiplies the learning rate, of which a group may hold two copies (a schedule's and its own)."""

    def change(group: Group) -> None:
        for key in ("lr", "initial_lr"):
            if key in group:
                group[key] = group[key] * factor

    return change


def groups(setup: Setup) -> list[Group]:
    """The parameter groups as the optimizer starts with them."""
    return list(setup.optimizer(setup.fresh()).param_groups)


def rate(setup: Setup) -> float:
    """The largest learning rate of the optimizer's groups."""
    return max((float(group["lr"]) for group in groups(setup)), default=0.0)


def kind(setup: Setup) -> str:
    """The optimizer's class by name."""
    return type(setup.optimizer(setup.fresh())).__name__
