"""A network's loss as a function of its parameters: many points at once, as lanes, on data that stays the same."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from slalom.core.checks import whole
from slalom.core.errors import BadDataError, BadValueError
from slalom.data import Data, load
from slalom.engines.lanes.choose import choose
from slalom.engines.lanes.layout import Layout, beside
from slalom.engines.lanes.losses import Loss, lane_loss, one_loss
from slalom.engines.lanes.native import Native
from slalom.race.prepare import loss_for

Floats = NDArray[np.float64]
LANES = 64  # points that one call evaluates together
BATCH = 2048  # samples a call
CACHED = 272  # the same where a lane's activations are to stay in the core's cache


class Ground:
    """The mean loss of a trained `nn.Module` over fixed data, in evaluation mode, at any parameter vector.

    `row`: its parameters as one vector `[D]`, in the order of `layout`; buffers and frozen parameters stay as they are.
    """

    def __init__(self, model: nn.Module, x: Tensor, y: Tensor, loss: str | Loss, *, dtype: torch.dtype = torch.float32) -> None:
        if not isinstance(model, nn.Module):
            raise BadValueError(f"model must be a trained torch.nn.Module, got {type(model).__name__}")
        if not len(x) or len(x) != len(y):
            raise BadDataError(f"x and y must be as many samples, at least one; got {len(x)} and {len(y)}")
        self.model = copy.deepcopy(model).to("cpu", dtype).eval()
        self.x = x.to(dtype) if x.is_floating_point() else x
        self.y = y.to(dtype) if y.is_floating_point() else y
        self.loss = loss
        self.layout = Layout.of(self.model)
        self.row = self.layout.row(self.model)
        if not bool(torch.isfinite(self.row).all()):
            raise BadValueError("the model's parameters are not all finite; take weights from before it diverged")
        self._beside = beside(self.model)
        few = slice(0, min(len(x), 16))
        self.choice = choose(self.model, self.layout, loss, self.x[few], self.y[few], lanes=LANES)
        self._mechanism = self.choice.make(self.model, self.layout, loss)
        self._loss = lane_loss(loss)

    def losses(self, rows: Iterable[Tensor]) -> Floats:
        """The loss at every parameter vector of an iterable of stacks `[k, D]`: as many as there are vectors, in order."""
        found = [self._stack(part) for stack in rows for part in torch.split(stack, LANES)]
        return np.concatenate(found) if found else np.empty(0)

    def plane(self, frame: Tensor, places: Tensor) -> Floats:
        """The loss at `frame[0] + places @ frame[1:]` for `frame [3, D]`, `places [n, 2]`; a few are made at a time."""
        frame, places = frame.to(self.row.dtype), places.to(self.row.dtype)
        parts = torch.split(places, LANES)
        return np.concatenate([self._stack(torch.addmm(frame[0], at, frame[1:]), (frame, at)) for at in parts])

    def at(self, row: Tensor) -> float:
        """The loss at one vector."""
        return float(self.losses([row.unsqueeze(0)])[0])

    def _stack(self, rows: Tensor, plane: tuple[Tensor, Tensor] | None = None) -> Floats:
        count, native = len(rows), self._mechanism if isinstance(self._mechanism, Native) else None
        spare = self._mechanism.spare
        params = torch.cat([rows, rows[-1:].expand(spare, -1)]) if spare else rows.contiguous()
        held = {k: v.unsqueeze(0).expand(len(params), *v.shape) for k, v in self._beside.items()}
        total, size = np.zeros(count), CACHED if native else BATCH
        with torch.no_grad():
            for x, y in zip(torch.split(self.x, size), torch.split(self.y, size), strict=True):
                found = (
                    native.losses(params, held, x, y, plane) if native
                    else self._loss(self._mechanism.predict(params, held, x), y, False)[:count]
                )  # fmt: skip
                total += len(x) * found.double().numpy()
        made: Floats = total / len(self.x)
        return made

    def function(self) -> Any:
        """`f(row [D]) -> loss`, for `torch.func`: differentiable as often as wanted, all data in one call."""
        loss = one_loss(self.loss)

        def f(row: Tensor) -> Tensor:
            params = {k: v[0] for k, v in self.layout.split(row.unsqueeze(0)).items()}
            outputs = torch.func.functional_call(self.model, {**params, **self._beside}, (self.x,))
            return loss(outputs, self.y)

        return f


def ground_of(
    model: nn.Module, data: Any, *, part: str = "train", rows: int | None = None, loss: Any = None, seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> tuple[Ground, str]:  # fmt: skip
    """The ground under a model, and in words what it is measured on.

    `data`: a name, file, `Data` (as for `slalom.race`) of which `part` is used, or `(x, y)`. `rows`: so many of its samples,
    drawn by `seed`; None: all. Errors: BadValueError, BadDataError.
    """
    if isinstance(data, tuple) and len(data) == 2:
        x, y = (torch.as_tensor(v) for v in data)
        name, wanted = "your data", loss
        if wanted is None:
            wanted = "mse" if y.is_floating_point() else "cross_entropy"
    else:
        found = data if isinstance(data, Data) else load(data)
        if part not in ("train", "val", "test"):
            raise BadValueError(f"part must be 'train', 'val' or 'test', got {part!r}")
        held = getattr(found, part)
        x, y, name, wanted = held.x, held.y, f"{found.name}, {part}", loss_for(loss, found)
    if rows is not None:
        whole(rows, "rows", 1, len(x))
        chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:rows]
        x, y = x[chosen], y[chosen]
    return Ground(model, x, y, wanted, dtype=dtype), f"{name}, {len(x)} samples"


def row_of(layout: Layout, weights: Mapping[str, Tensor]) -> Tensor:
    """A `state_dict` as one vector in the layout's order. Errors: BadValueError where one is missing or of other shape."""
    parts = []
    for name, shape in zip(layout.names, layout.shapes, strict=True):
        if name not in weights or weights[name].shape != shape:
            got = list(weights[name].shape) if name in weights else "nothing"
            raise BadValueError(f"weights must hold {name} of shape {list(shape)}, got {got}; are they of this model?")
        parts.append(weights[name].detach().reshape(-1).float())
    return torch.cat(parts)
