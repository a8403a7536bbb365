"""What builds a model: called once a lane, each time a new module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn


class Sample(Protocol):
    """The inputs of one part of the data."""

    @property
    def x(self) -> torch.Tensor: ...

    def __len__(self) -> int: ...


class DataShape(Protocol):
    """What a model must know of the data: `slalom.data.Data` has it."""

    @property
    def name(self) -> str: ...
    @property
    def train(self) -> Sample: ...
    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def output_size(self) -> int: ...


@dataclass(frozen=True)
class Factory:
    """`factory()` is a new `nn.Module`, its weights drawn from torch's global generator.

    `name`: short, for tables. `spec`: the text that `slalom.nets.build` makes it from again, or None. `note`: a sentence that the
    person who asked for it should read, or "".
    """

    name: str
    spec: str | None
    make: Callable[[], nn.Module]
    note: str = ""

    def __call__(self) -> nn.Module:
        return self.make()
