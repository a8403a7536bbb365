"""Slices of a network's loss: filter-normalised planes, and the line between two networks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slalom.core.checks import whole
from slalom.core.errors import BadValueError
from slalom.data import Data, load
from slalom.landscape.networks.directions import filter_normalised
from slalom.landscape.networks.ground import Floats, Ground, ground_of, row_of
from slalom.landscape.networks.record import Interpolation, NetworkLandscape, Plane


def loss_slice(
    model: nn.Module, data: Any = "digits", *, span: float = 1.0, points: int = 51, planes: int = 2, seed: int = 0,
    part: str = "train", rows: int | None = None, loss: Any = None, vectors: str = "zero",
) -> NetworkLandscape:  # fmt: skip
    """The loss around a trained network on random planes through it, each filter of a direction as long as the network's own.

    `planes`: how many, each drawn by its own seed (`seed`, `seed + 1`, ...); two by default, as one alone misleads.
    `span`: to how many filter lengths either way. `points`: each way, so `points**2` networks are evaluated a plane.
    `data`, `part`, `rows`, `loss`: what the loss is of (`data` as for `slalom.race`, or `(x, y)`; `rows`: so many samples of it).
    `vectors`: "zero" keeps biases and norms as they are, as the paper's code does; "norm" moves them too.
    In evaluation mode: no dropout, running statistics as they are. Li et al. 2018, arXiv:1712.09913. Errors: BadValueError.

    >>> import torch
    >>> made = loss_slice(torch.nn.Linear(4, 3), "iris", points=5)
    >>> made.planes[0].losses.shape, bool(abs(made.planes[0].losses[2, 2] - made.centre) < 1e-5)
    ((5, 5), True)
    """
    whole(points, "points", 3, 401)
    whole(planes, "planes", 1, 8)
    whole(seed, "seed", 0, 2**31)
    if not (isinstance(span, int | float) and math.isfinite(span) and span > 0):
        raise BadValueError(f"span must be a number > 0, got {span!r}")
    ground, about = ground_of(model, data, part=part, rows=rows, loss=loss, seed=seed)
    at = np.linspace(-span, span, points)
    made = []
    for k in range(planes):
        one = filter_normalised(ground.layout, ground.row, 2 * (seed + k), vectors)
        two = filter_normalised(ground.layout, ground.row, 2 * (seed + k) + 1, vectors)
        losses = plane_losses(ground, ground.row, one, two, at, at)
        made.append(Plane(at, at, losses, f"random plane {k + 1}, filter-normalised (seed {seed + k})"))
    notes = (f"points are evaluated {ground.choice.why}",) if ground.choice.slower else ()
    return NetworkLandscape("Loss around the network", about, len(ground.row), ground.at(ground.row), tuple(made), notes)


def plane_losses(ground: Ground, middle: Tensor, one: Tensor, two: Tensor, x: Floats, y: Floats) -> Floats:
    """Losses `[len(y), len(x)]` at `middle + x one + y two`, made and evaluated a few at a time."""
    up, across = np.meshgrid(y, x, indexing="ij")
    places = torch.from_numpy(np.stack([across.ravel(), up.ravel()], axis=1))
    return ground.plane(torch.stack([v.to(ground.row.dtype) for v in (middle, one, two)]), places).reshape(len(y), len(x))


def interpolation(
    model: nn.Module, first: Any, second: Any, data: Any = "digits", *, points: int = 41, beyond: float = 0.25,
    names: tuple[str, str] = ("first", "second"), loss: Any = None,
) -> Interpolation:  # fmt: skip
    """The loss on the straight line between two solutions of one model, from `beyond` before the first to as far past the second.

    `first`, `second`: state dicts (`RaceResult.weights(lane)`) or modules. Training loss, and validation loss where `data` has
    such a part. Goodfellow, Vinyals & Saxe 2015, arXiv:1412.6544. Errors: BadValueError.

    >>> import torch
    >>> a, b = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)
    >>> made = interpolation(a, a, b, "iris", points=9)
    >>> made.barrier  # the loss of a linear model is convex
    0.0
    """
    whole(points, "points", 3, 10_001)
    if not (isinstance(beyond, int | float) and math.isfinite(beyond) and beyond >= 0):
        raise BadValueError(f"beyond must be a number >= 0, got {beyond!r}")
    pair = isinstance(data, tuple)
    found = data if pair or isinstance(data, Data) else load(data)
    ground, about = ground_of(model, found, loss=loss)
    a, b = (row_of(ground.layout, w.state_dict() if isinstance(w, nn.Module) else w) for w in (first, second))
    at = np.unique(np.concatenate([np.linspace(-beyond, 1 + beyond, points), [0.0, 1.0]]))
    share = torch.from_numpy(at).to(ground.row.dtype)[:, None]
    rows = (1 - share) * a + share * b
    train = ground.losses([rows])
    val = None if pair else ground_of(model, found, part="val", loss=loss)[0].losses([rows])
    between = (at >= 0) & (at <= 1)
    line = train[at == 0][0] + at * (train[at == 1][0] - train[at == 0][0])
    barrier = max(0.0, float((train - line)[between].max()))
    barrier = barrier if barrier > 1e-6 * abs(float(train[between].max())) else 0.0  # rounding of float32 is no barrier
    return Interpolation("Between two networks", about, at, train, val, barrier, names)
