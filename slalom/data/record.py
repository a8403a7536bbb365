"""Data that is ready to race on: split, scaled on the training part alone, described."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class Part:
    """One part of the split: `x` float32 `[n, *features]`; `y` int64 `[n]` (classes) or float32 `[n, targets]`."""

    x: torch.Tensor
    y: torch.Tensor

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        return f"Part({len(self)} rows of {list(self.x.shape[1:])})"  # not the numbers: a notebook would print pages of them


@dataclass(frozen=True)
class Data:
    """A data set, split in train, validation and test.

    `target_mean`, `target_std`: regression targets are standardised by the training part's; metrics in original units
    multiply back. `notes`: sentences on what was done (imputation, encoding, scaling, dropped columns). `fingerprint`: a
    hash of every array of every part, so that a resumed race can tell that its data are the same.
    """

    name: str
    task: Task
    train: Part
    val: Part
    test: Part
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    target_mean: tuple[float, ...] = ()
    target_std: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    source: dict[str, Any] = field(default_factory=dict)  # what `load` was called with, JSON-able, to load it again
    fingerprint: str = ""

    def __repr__(self) -> str:
        told = f"into {self.output_size} classes" if self.task == "classification" else f"of {self.output_size} target(s)"
        rows = f"{len(self.train)}/{len(self.val)}/{len(self.test)} rows to train, validate and test"
        return f"Data({self.name!r}: {self.task} {told}, {rows}, inputs {list(self.input_shape)})"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.train.x.shape[1:])

    @property
    def output_size(self) -> int:
        """Number of classes, or of regression targets."""
        return len(self.classes) if self.task == "classification" else int(self.train.y.shape[1])

    def describe(self) -> dict[str, Any]:
        """Plain facts for plans, terminals and pages."""
        return {
            "name": self.name, "task": self.task, "train": len(self.train), "val": len(self.val), "test": len(self.test),
            "input_shape": list(self.input_shape), "output_size": self.output_size, "classes": list(self.classes),
            "notes": list(self.notes), "fingerprint": self.fingerprint,
        }  # fmt: skip
