"""What a race is judged by: metrics of one lane's outputs against its targets, in the data's own units."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from slalom.core.errors import BadValueError, unknown_name
from slalom.data.record import Data

Measure = Callable[[Tensor, Tensor], Any]


@dataclass(frozen=True)
class Metric:
    """`measure(outputs [n, ...], targets [n, ...])`; for regression both are in the data's own units."""

    name: str
    measure: Measure
    higher_is_better: bool
    task: str | None = None
    doc: str = ""
    counts: bool = False  # a share of right answers


def _accuracy(outputs: Tensor, targets: Tensor) -> float:
    return float((outputs.argmax(-1) == targets).double().mean())


def _sklearn(name: str, **options: Any) -> Measure:
    def measure(outputs: Tensor, targets: Tensor) -> float:
        import sklearn.metrics

        return float(getattr(sklearn.metrics, name)(targets.numpy(), outputs.argmax(-1).numpy(), **options))

    return measure


def _r2(outputs: Tensor, targets: Tensor) -> float:
    residual = (targets - outputs).double().square().sum(0)
    total = (targets - targets.mean(0)).double().square().sum(0)
    return float((1 - residual / total).mean())


def _rmse(outputs: Tensor, targets: Tensor) -> float:
    return float((outputs - targets).double().square().mean().sqrt())


def _mae(outputs: Tensor, targets: Tensor) -> float:
    return float((outputs - targets).double().abs().mean())


METRICS = {
    m.name: m
    for m in (
        Metric("accuracy", _accuracy, True, "classification", "share of samples whose largest output is their class", True),
        Metric("balanced_accuracy", _sklearn("balanced_accuracy_score"), True, "classification", "mean recall"),
        Metric("f1", _sklearn("f1_score", average="macro"), True, "classification", "macro F1"),
        Metric("r2", _r2, True, "regression", "share of the variance explained, mean over targets"),
        Metric("rmse", _rmse, False, "regression", "root mean squared error"),
        Metric("mae", _mae, False, "regression", "mean absolute error"),
    )
}


class _OneAtATime:
    """A person's own metric may keep a state, and lanes are measured by several threads. It travels to other processes."""

    def __init__(self, measure: Measure) -> None:
        self.measure, self.lock = measure, threading.RLock()

    def __call__(self, outputs: Tensor, targets: Tensor) -> Any:
        with self.lock:
            return self.measure(outputs, targets)

    def __reduce__(self) -> tuple[Any, ...]:
        return _OneAtATime, (self.measure,)


def resolve_metric(metric: str | Measure | None, data: Data) -> Metric:
    """The metric of that name, a callable's (`higher_is_better` attribute, True if absent), or the task's default."""
    if metric is None:
        metric = "accuracy" if data.task == "classification" else "r2"
    if callable(metric):
        name = getattr(metric, "__name__", type(metric).__name__)
        return Metric(name, _OneAtATime(metric), bool(getattr(metric, "higher_is_better", True)))
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    found = METRICS[metric]
    if found.task not in (None, data.task):
        fit = [m.name for m in METRICS.values() if m.task == data.task]
        raise BadValueError(f"metric {metric!r} is for {found.task}; {data.name} is {data.task}: use one of {', '.join(fit)}")
    return found


def in_units(measure: Measure, data: Data) -> Measure:
    """The measure with regression outputs and targets brought back from standardised to the data's own units."""
    if data.task == "classification" or not data.target_std:
        return measure
    mean, std = torch.tensor(data.target_mean), torch.tensor(data.target_std)
    return lambda outputs, targets: measure(outputs * std + mean, targets * std + mean)
