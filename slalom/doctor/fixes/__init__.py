"""Fixes: by label, functions from a set-up to a repaired one."""

from __future__ import annotations

import importlib

from slalom.doctor.fixes.fix import REGISTRY, Change, FirstThatApplies, Fix
from slalom.doctor.labels import label

for _family in (
    "rows", "parameters", "outputs", "inputs", "targets", "initialisation", "momentum", "schedule", "learning_rate", "clipping",
    "batch", "regularisation", "capacity", "classes",
):  # fmt: skip
    importlib.import_module(f"slalom.doctor.fixes.{_family}")  # each registers what it has; within a label in this order

__all__ = ["Change", "Fix", "candidates", "of"]


def candidates(name: str) -> tuple[Fix, ...]:
    """The fixes that compete for a label, the likeliest first; none where only a person can mend it.

    >>> [fix.name for fix in candidates("params_not_training")]
    ['all parameters', 'all parameters, frozen ones too']
    """
    label(name)
    return tuple(REGISTRY.get(name, ()))


def of(name: str) -> FirstThatApplies | None:
    """The fix of a label: a function from a set-up to a repaired one, by the first of the candidates that applies; None where
    only a person can mend it.

    Errors: `UnknownNameError` for what is no label.

    >>> of("train_val_mismatch") is None
    True
    """
    found = candidates(name)
    return FirstThatApplies(name, found) if found else None
