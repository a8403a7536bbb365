"""A probe: a run goes on from where it stands, on a copy, at a multiple of its learning rate."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from slalom.core.errors import BadDataError, BadValueError
from slalom.doctor.curve.values import Floats
from slalom.engines.lanes.losses import one_loss
from slalom.race.order import batches
from slalom.race.range.untouched import random_states_kept

LOOKS, BATCHES = 6, 20  # times that a branch is measured; batches that it is measured on, at most
APART = 100_000  # from one order's seed to the next's
ORDERS = 3  # of the batches, that a run can be gone on with


class Probe:
    """`probe(factor, steps)`: the training loss while going on at `factor` times the rate, six times in the second half.

    Each is the mean over one fixed set of the training rows (20 batches at most), in evaluation mode: the losses of the steps
    themselves are of rows not seen for an epoch, where a smaller rate looks better than it is.

    `model` and `optimizer` (any `torch.optim.Optimizer` on the model's parameters) are copied together for every call: their
    weights, buffers, state and gradients stay as they are to the bit, and so do the random states. All calls start from the
    same point, with the same batches and the same dropout. `data`: `(X, y)`, from which batches of `batch_size` are drawn by
    `seed`; or a DataLoader, or any iterable of `(X, y)` batches, whose batches are kept and repeated. `loss`: "cross_entropy",
    "mse", or a callable of outputs and targets; by default cross-entropy for whole-number targets, else mean squared error.

    `probe(factor, steps, order)`, `order` 0, 1 or 2: on other batches (of a loader the same, shuffled), measured on the same
    rows, since what one order shows may be a swing of the run.

    Once a loss is not finite the rest is NaN. Parameter groups keep the ratios of their rates.

    >>> _ = torch.manual_seed(0)
    >>> x, y = torch.randn(64, 3), torch.randn(64, 1)
    >>> net = nn.Linear(3, 1)
    >>> probe = Probe(net, (x, y), torch.optim.SGD(net.parameters(), lr=0.1))
    >>> bool(probe(1.0, 20)[-1] < probe(0.1, 20)[-1])
    True
    """

    orders = ORDERS

    def __init__(
        self, model: nn.Module, data: Any, optimizer: torch.optim.Optimizer, *, loss: Any = None, batch_size: int = 64,
        seed: int = 0,
    ) -> None:  # fmt: skip
        if not isinstance(model, nn.Module):
            raise BadValueError(f"probe: model must be an nn.Module, got {type(model).__name__}")
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise BadValueError(f"probe: optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
        own = {id(p) for p in model.parameters()}
        if not all(id(p) in own for group in optimizer.param_groups for p in group["params"]):
            raise BadValueError("probe: optimizer must step this model's parameters; make it from model.parameters()")
        if not any(float(group["lr"]) > 0 for group in optimizer.param_groups):
            raise BadValueError(
                "probe: every learning rate of the optimizer is 0, of which there is no multiple; set one above 0"
            )
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise BadValueError(f"probe: batch_size must be a whole number >= 1, got {batch_size!r}")
        self.model, self.optimizer, self.batch_size, self.seed = model, optimizer, batch_size, seed
        self._data, self._loss = data, loss
        self._batches: list[tuple[Tensor, Tensor]] = []

    def __call__(self, factor: float, steps: int, order: int = 0) -> Floats:
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 2:
            raise BadValueError(f"probe: steps must be a whole number >= 2, got {steps!r}")
        if order not in range(self.orders):
            raise BadValueError(f"probe: order must be a whole number from 0 to {self.orders - 1}, got {order!r}")
        with random_states_kept(self._data if isinstance(self._data, DataLoader) else None):
            return self._run(factor, self._fed(steps, order))

    def _run(self, factor: float, fed: list[tuple[Tensor, Tensor]]) -> Floats:
        model, optimizer = copy.deepcopy((self.model, self.optimizer))  # together: the copy steps the copy
        for group in optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].mul_(factor)
            else:
                group["lr"] = group["lr"] * factor
        criterion = self._criterion(fed[0][1])
        place = next(model.parameters()).device
        model.train()
        torch.manual_seed(self.seed)  # dropout alike in all branches
        looks = np.linspace(len(fed) / 2, len(fed), LOOKS + 1)[1:].round().astype(int)
        losses: list[float] = []
        for k, (x, y) in enumerate(fed):
            x, y = x.to(place), y.to(place)

            def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
                optimizer.zero_grad()
                loss = criterion(model(x), y)
                loss.backward()  # type: ignore[no-untyped-call]
                return loss

            before: Any = optimizer.step(closure)  # type: ignore[arg-type]
            if not np.isfinite(float(before.detach() if isinstance(before, Tensor) else before)):
                break
            losses += [self._whole(model, criterion)] * int((looks == k + 1).sum())
        return np.array(losses + [np.nan] * (LOOKS - len(losses)))

    def _whole(self, model: nn.Module, criterion: Callable[[Tensor, Tensor], Tensor]) -> float:
        """The mean loss over the fixed rows."""
        place = next(model.parameters()).device
        every = -(-len(self._batches) // BATCHES)
        model.eval()
        with torch.no_grad():
            parts = [(float(criterion(model(x.to(place)), y.to(place))), len(y)) for x, y in self._batches[::every]]
        model.train()
        return sum(loss * n for loss, n in parts) / sum(n for _, n in parts)

    def _criterion(self, y: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        if self._loss is None:
            return one_loss("mse" if y.is_floating_point() else "cross_entropy")
        if callable(self._loss):
            given: Callable[[Tensor, Tensor], Tensor] = self._loss
            return given
        return one_loss(self._loss)

    def _fed(self, steps: int, order: int) -> list[tuple[Tensor, Tensor]]:
        """The first `steps` batches of this order; the same for every call."""
        rows = isinstance(self._data, tuple) and len(self._data) == 2
        if not self._batches:
            if rows:
                self._batches = self._drawn(self._data, steps)
            elif isinstance(self._data, Iterable) and not isinstance(self._data, Tensor | np.ndarray | str):
                self._batches = [_pair(batch) for batch in islice(self._data, steps)]
            else:
                raise BadValueError(
                    f"probe: data must be (X, y), a DataLoader or batches of pairs, got {type(self._data).__name__}"
                )
        if not self._batches:
            raise BadDataError("probe: data gave no batch")
        if order and rows:
            return self._drawn(self._data, steps, order)
        mixed = np.random.default_rng([self.seed, order]).permutation if order else np.arange
        own = [self._batches[k] for k in mixed(len(self._batches))]
        return [own[k % len(own)] for k in range(steps)]

    def _drawn(self, data: tuple[Any, Any], steps: int, order: int = 0) -> list[tuple[Tensor, Tensor]]:
        x, y = (part if isinstance(part, Tensor) else torch.as_tensor(np.asarray(part)) for part in data)
        if len(x) != len(y) or not len(y):
            raise BadDataError(f"probe: X and y must be rows of the same number, at least one; got {len(x)} and {len(y)}")
        made: list[tuple[Tensor, Tensor]] = []
        epoch, seed = 0, self.seed + APART * order
        while len(made) < steps:
            made += [(x[rows], y[rows]) for rows in batches([seed], epoch, len(y), self.batch_size)]
            epoch += 1
        return made[:steps]


def _pair(batch: Any) -> tuple[Tensor, Tensor]:
    if isinstance(batch, tuple | list) and len(batch) == 2 and all(isinstance(part, Tensor) for part in batch):
        return batch[0], batch[1]
    raise BadDataError(f"probe: batches must be pairs of tensors (inputs, targets), got {type(batch).__name__}")
