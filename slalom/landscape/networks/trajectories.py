"""Runs of several rules from one start, drawn in the plane in which they move most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from slalom.core.checks import whole
from slalom.core.errors import BadDataError, BadValueError
from slalom.data import Data, load
from slalom.engines.lanes import Lane, Lanes
from slalom.landscape.networks.directions import principal_plane
from slalom.landscape.networks.ground import Floats, Ground, ground_of, row_of
from slalom.landscape.networks.record import NetworkLandscape, Plane, Trace
from slalom.landscape.networks.slices import plane_losses
from slalom.nets import build
from slalom.race.entrants import RuleLike, entrants
from slalom.race.order import batches
from slalom.race.prepare import loss_for

LRS = {"sgd": 0.3, "momentum": 0.05, "nag": 0.05, "rmsprop": 0.003, "adam": 0.005, "adagrad": 0.03}
MARGIN = 0.18  # of the plane's box around the runs


def trajectory_plane(
    model: Any = None, data: Any = "digits", rules: Sequence[RuleLike] | RuleLike | None = None, *,
    lr: float | Mapping[str, float] | None = None, epochs: int = 20, batch_size: int = 64, seed: int = 0, points: int = 51,
    keep: int = 60, rows: int | None = None,
) -> NetworkLandscape:  # fmt: skip
    """Trains one start by several rules as lanes, and draws their ways in the plane of largest variance, with the loss on it.

    `model`, `data`, `rules`: as for `slalom.race` (default: sgd, momentum, rmsprop, adam). `lr`: one for all, or one a rule;
    None: rates picked by hand for the digits MLP. Every rule sees the same batches. `keep`: about so many points of each way
    are kept for the plane. The share of the variance that the plane keeps is in the record and on the picture; so is how far
    each run ends from the plane. Li et al. 2018, section 7. Errors: BadValueError, BadDataError.

    >>> made = trajectory_plane("mlp:8", "iris", ["sgd", "adam"], lr=0.05, epochs=4, points=5)
    >>> len(made.planes[0].traces), 0 < sum(made.planes[0].kept) <= 1
    (2, True)
    """
    for name, value, least in (("epochs", epochs, 1), ("batch_size", batch_size, 1), ("keep", keep, 2)):
        whole(value, name, least, 100_000)
    whole(points, "points", 3, 401)
    found = data if isinstance(data, Data) else load(data)
    who = entrants(("sgd", "momentum", "rmsprop", "adam") if rules is None else rules)
    rates = [_rate(e.label, lr) for e in who]
    factory, loss = build(model, found), loss_for(None, found)
    x, y = found.train.x, found.train.y
    many = [Lane(e.optimizer(rate), seed) for e, rate in zip(who, rates, strict=True)]
    lanes = Lanes(factory, many, loss=loss, example=(x[:batch_size], y[:batch_size]))
    ground, about = ground_of(lanes.module(0), found, rows=rows)
    steps, ways = _train(lanes, ground, seed, epochs, batch_size, keep)
    good = [k for k in range(len(who)) if k not in lanes.retired]
    if not good:
        raise BadDataError("every run turned non-finite; lower lr")
    plane = principal_plane(torch.cat([ways[k] for k in good]))
    traces = []
    for k in good:
        flat = plane.project(ways[k])
        end = ways[k][-1].double() - plane.middle
        off = float((end - flat[-1] @ plane.axes).norm() / (ways[k][-1] - ways[k][0]).double().norm().clamp_min(1e-30))
        traces.append(Trace(who[k].label, rates[k], flat.numpy(), tuple(steps), ground.losses([ways[k]]), off))
    across, down = (_spread(np.concatenate([t.points[:, i] for t in traces]), points) for i in (0, 1))
    losses = plane_losses(ground, plane.middle, plane.axes[0], plane.axes[1], across, down)
    words = f"principal plane of {len(good)} runs, {sum(plane.kept):.0%} of the variance kept"
    lost = [f"{who[k].label} turned non-finite at step {lanes.retired[k].step}" for k in lanes.retired]
    return NetworkLandscape(
        "Runs in their principal plane", f"{factory.name} on {about}", len(ground.row), None,
        (Plane(across, down, losses, words, plane.kept, tuple(traces)),), tuple(lost),
    )  # fmt: skip


def _train(
    lanes: Lanes, ground: Ground, seed: int, epochs: int, batch_size: int, keep: int
) -> tuple[list[int], dict[int, torch.Tensor]]:
    """Every run's parameters after some of its steps, from the start on: `[kept, D]`."""
    x, y = ground.x, ground.y
    total = epochs * -(-len(x) // batch_size)
    every = max(1, total // keep)
    ways = {k: [row_of(ground.layout, lanes.weights(k))] for k in range(len(lanes))}
    steps = [0]
    for epoch in range(epochs):
        for batch in batches([seed], epoch, len(x), batch_size):
            lanes.epoch(x, y, [batch])
            if lanes.t % every == 0 or lanes.t == total:
                steps.append(lanes.t)
                for k, way in ways.items():
                    way.append(row_of(ground.layout, lanes.weights(k)))
    return steps, {k: torch.stack(way) for k, way in ways.items()}


def _rate(label: str, lr: Any) -> float:
    if lr is None:
        if label not in LRS:
            raise BadValueError(f"no learning rate is picked by hand for {label}; give lr={{{label!r}: ...}}")
        return LRS[label]
    if isinstance(lr, Mapping):
        if label not in lr:
            raise BadValueError(f"lr has no learning rate for {label}; name every rule, or give one number for all")
        return float(lr[label])
    return float(lr)


def _spread(values: Floats, points: int) -> Floats:
    low, high = float(values.min()), float(values.max())
    room = MARGIN * max(high - low, 1e-12)
    return np.linspace(low - room, high + room, points)
