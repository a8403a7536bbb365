"""A training set-up as `slalom.examine` takes it: checked once, copied, never the caller's own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler

from slalom.core.errors import BadDataError, BadValueError

Pair = tuple[Tensor, Tensor]
LossFn = Callable[[Any, Tensor], Tensor]
MakeOptimizer = Callable[[nn.Module], torch.optim.Optimizer]
MakeSchedule = Callable[[torch.optim.Optimizer], Any]
BATCH, EPOCHS = 32, 20


@dataclass(frozen=True)
class Setup:
    """Everything that a training run is made of; a fix is a function from one to another.

    `model`: at its start, a copy of the caller's; `fresh()` gives a copy to train. `train`, `val`: `(X, y)` tensors; a
    DataLoader's batches are kept as such. `optimizer`: model -> optimizer; `schedule`: optimizer -> scheduler stepped once an
    epoch, or None. `shuffle`, `drop_last`: how batches are cut from the rows; each epoch draws a new order from `seed`.
    `before_step`: called with the model between backward and step, as clipping is. What a fix puts around the model (a scaling of
    inputs or outputs) is part of the model, so its inputs and outputs keep the caller's units.
    """

    model: nn.Module
    loss_fn: LossFn
    optimizer: MakeOptimizer
    train: Pair
    val: Pair | None = None
    batch_size: int = BATCH
    epochs: int = EPOCHS
    schedule: MakeSchedule | None = None
    seed: int = 0
    shuffle: bool = True
    drop_last: bool = False
    before_step: Callable[[nn.Module], None] | None = None
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return len(self.train[1])

    @property
    def steps_per_epoch(self) -> int:
        whole, rest = divmod(self.rows, self.batch_size)
        return max(1, whole + (0 if self.drop_last or not rest else 1))

    @property
    def steps(self) -> int:
        return self.steps_per_epoch * self.epochs

    def fresh(self) -> nn.Module:
        """A copy of the model at its start."""
        return copy.deepcopy(self.model)

    def order(self, epoch: int) -> list[Tensor]:
        """Row numbers of the batches of an epoch; the same for every run of this set-up."""
        n = self.rows
        if self.shuffle:
            generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
            rows = torch.randperm(n, generator=generator)
        else:
            rows = torch.arange(n)
        parts = list(torch.split(rows, self.batch_size))
        return parts[:-1] if self.drop_last and len(parts) > 1 and len(parts[-1]) < self.batch_size else parts

    def batches(self, epoch: int) -> Iterator[Pair]:
        """The batches of an epoch, on the model's device."""
        x, y = self.train
        for rows in self.order(epoch):
            yield x[rows], y[rows]

    def changed(self, **fields: Any) -> Setup:
        """The same set-up with some fields replaced."""
        return replace(self, **fields)


def setup_of(
    model: Any, loss_fn: Any, optimizer: Any, *, train: Any, val: Any = None, batch_size: Any = None, epochs: Any = EPOCHS,
    schedule: Any = None, seed: Any = 0,
) -> Setup:  # fmt: skip
    """Checks what `slalom.examine` and `slalom.repair` take, and copies the model and the data's structure.

    Raises `BadValueError` or `BadDataError`, naming the argument, what it is and what is allowed. Numbers that are not finite and
    labels that fit no loss are no errors here: they are what the doctor looks for.
    """
    if not isinstance(model, nn.Module):
        raise BadValueError(f"model must be an nn.Module, got {type(model).__name__}")
    if not any(True for _ in model.parameters()):
        raise BadValueError(f"model {type(model).__name__} has no parameters; there is nothing to train")
    for name, value in {"loss_fn": loss_fn, "optimizer": optimizer}.items():
        if not callable(value):
            hint = "callable(outputs, targets)" if name == "loss_fn" else "callable(model) that returns a torch optimizer"
            raise BadValueError(f"{name} must be a {hint}, got {type(value).__name__}")
    if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer):
        raise BadValueError(f"optimizer must be callable(model): write lambda m: {optimizer.__name__}(m.parameters(), lr=...)")
    if schedule is not None and not callable(schedule):
        raise BadValueError(f"schedule must be callable(optimizer) that returns a scheduler, or None; got {schedule!r}")
    full = isinstance(batch_size, str) and batch_size == "full"
    for name, value in {"epochs": epochs, "seed": seed, "batch_size": batch_size}.items():
        least = 0 if name == "seed" else 1
        if name == "batch_size" and (value is None or full):
            continue
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            way_out = " or 'full'" if name == "batch_size" else ""
            raise BadValueError(f"{name} must be a whole number >= {least}{way_out}, got {value!r}")
    pair, size, shuffle, drop_last, notes = _rows("train", train, None if full else batch_size)
    size = len(pair[1]) if full else size
    held = None if val is None else _rows("val", val, None)[0]
    device = next(model.parameters()).device
    pair = (pair[0].to(device), pair[1].to(device))
    held = None if held is None else (held[0].to(device), held[1].to(device))
    own = copy.deepcopy(model)
    for p in own.parameters():
        p.grad = None
    return Setup(
        own, loss_fn, optimizer, pair, held, min(size, len(pair[1])), int(epochs), schedule, int(seed), shuffle, drop_last,
        notes=notes,
    )  # fmt: skip


def _rows(name: str, given: Any, batch_size: int | None) -> tuple[Pair, int, bool, bool, tuple[str, ...]]:
    if isinstance(given, DataLoader):
        x, y = _gathered(name, given)
        size = batch_size or given.batch_size or getattr(given.batch_sampler, "batch_size", None) or BATCH
        shuffle = isinstance(given.sampler, RandomSampler) or not isinstance(given.sampler, SequentialSampler)
        note = f"{name}: the DataLoader's rows are read once and kept; what it draws anew each epoch (augmentation) is fixed"
        return (x, y), int(size), shuffle, bool(given.drop_last), (note,)
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise BadDataError(f"{name} must be (X, y) or a DataLoader, got {type(given).__name__}")
    x, y = (part.detach() if isinstance(part, Tensor) else _tensor(name, part) for part in given)
    _paired(name, x, y)
    return (x, y), int(batch_size or BATCH), True, False, ()


def _tensor(name: str, part: Any) -> Tensor:
    try:
        return torch.as_tensor(np.asarray(part))
    except (TypeError, ValueError):
        raise BadDataError(f"{name} must hold tensors or arrays of numbers, got {type(part).__name__}") from None


def _paired(name: str, x: Tensor, y: Tensor) -> None:
    if x.dim() < 1 or y.dim() < 1 or len(x) != len(y) or not len(y):
        raise BadDataError(
            f"{name}: X and y must have the same number of rows, at least one; got {list(x.shape)}, {list(y.shape)}"
        )


def _gathered(name: str, loader: DataLoader[Any]) -> Pair:
    from slalom.race.range.untouched import random_states_kept

    with random_states_kept(loader):
        parts = list(loader)
    for part in parts[:1]:
        if not (isinstance(part, tuple | list) and len(part) == 2 and all(isinstance(t, Tensor) for t in part)):
            raise BadDataError(f"{name}: batches of the DataLoader must be pairs of tensors (X, y), got {type(part).__name__}")
    if not parts:
        raise BadDataError(f"{name}: the DataLoader gave no batch")
    try:
        x, y = torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])
    except RuntimeError as error:
        raise BadDataError(f"{name}: the DataLoader's batches differ in shape ({error}); pad them to one") from None
    _paired(name, x, y)
    return x, y
