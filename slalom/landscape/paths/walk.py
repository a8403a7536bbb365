"""Lanes whose parameter is a point: every rule, at every learning rate, stepped side by side over one surface."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from slalom.core.rule import Settings
from slalom.engines.lanes import Lane
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.update import RuleUpdate, TorchUpdate, Update, kernels_for
from slalom.landscape.surfaces import Surface
from slalom.landscape.surfaces.record import Floats, Point

FAR = 1e6  # widths of the box from its middle, beyond which a lane is let go


@dataclass(frozen=True)
class Walk:
    """What every lane did: `points [lanes, steps + 1, 2]` and `losses [lanes, steps + 1]` from the start on, in the picture.

    With noise, `losses` are of the mean over all rows, not of a step's batch. NaN from where a lane was let go:
    `stopped[k]` is that step (from 1), because its numbers were no longer finite or far outside the box; None otherwise.
    `arrived[k]`: the first step at which it met the surface's goal, 0 the start, None never. `notes`: a slower way taken.
    """

    points: Floats
    losses: Floats
    stopped: tuple[int | None, ...]
    arrived: tuple[int | None, ...]
    notes: tuple[str, ...] = ()


@dataclass
class _Group:
    rows: slice
    update: Update


def walk(surface: Surface, lanes: Sequence[Lane], steps: int, start: Point | None = None, seed: int = 0) -> Walk:
    """Steps every lane `steps` times from `start` (the surface's own); `seed` draws a noisy surface's batches, for all alike.

    In float64. A lane's schedule and clipping are its own, as in training.
    """
    order = sorted(range(len(lanes)), key=lambda i: tuple(map(str, lanes[i].optimizer.program)))
    own = [lanes[i] for i in order]
    n = len(own)
    params = torch.tensor([start or surface.start], dtype=torch.float64).repeat(n, 1)
    at = params.numpy()
    batches = surface.batches(steps, seed)
    seen: list[NDArray[np.int64] | None] = [None]  # the rows of the step that is being made
    groups, notes = _groups(surface, own, params, seen)
    points, losses = np.full((n, steps + 1, 2), np.nan), np.full((n, steps + 1), np.nan)
    stopped: list[int | None] = [None] * n
    points[:, 0] = at
    live = np.ones(n, dtype=bool)
    clip = _clips(own)
    width = max(surface.box[1] - surface.box[0], surface.box[3] - surface.box[2])
    middle = np.array(surface.centre)
    gradients = torch.empty_like(params)
    for t in range(1, steps + 1):
        seen[0] = None if batches is None else batches[t - 1]
        with np.errstate(all="ignore"):
            height, slope = surface.slopes(at, seen[0])
        if batches is None:
            losses[live, t - 1] = height[live]
        gradients.copy_(torch.from_numpy(slope))
        for group in groups:
            rows = group.rows
            if not live[rows].any():
                continue
            limit = None if clip is None else clip[rows]
            stepped, _ = group.update.step(params[rows], gradients[rows], torch.from_numpy(height[rows]), t, live[rows], limit)
            near = np.abs(at[rows] - middle).max(1) <= FAR * width
            for k in np.flatnonzero(live[rows] & ~(stepped & near)).tolist():
                stopped[rows.start + k] = t
            live[rows] &= stepped & near
        points[live, t] = at[live]
        if not live.any():
            break
    if batches is None:
        with np.errstate(all="ignore"):
            losses[live, steps] = surface.slopes(at)[0][live]
    else:
        for k in range(n):
            losses[k] = surface(points[k, :, 0], points[k, :, 1])
    reached = surface.arrived(points[..., 0], points[..., 1])
    arrived = [int(row.argmax()) if row.any() else None for row in reached]
    back = np.argsort(order)
    return Walk(points[back], losses[back], tuple(stopped[i] for i in back), tuple(arrived[i] for i in back), tuple(notes))


def _groups(surface: Surface, lanes: list[Lane], params: torch.Tensor, seen: list[Any]) -> tuple[list[_Group], list[str]]:
    kernels, slower = kernels_for(lanes, params.dtype)
    made, first = [], 0
    for _, same in itertools.groupby(lanes, key=lambda lane: lane.optimizer.program):
        own = list(same)
        rows = slice(first, first + len(own))
        update: Update
        if isinstance(own[0].optimizer, Settings):
            update = RuleUpdate(own, params[rows], kernels[own[0].optimizer.program])
        else:
            update = TorchUpdate(own, params[rows], Layout.of(_Point()), _again(surface, params[rows], seen))
        made.append(_Group(rows, update))
        first = rows.stop
    return made, [slower] if slower else []


def _again(surface: Surface, params: torch.Tensor, seen: list[Any]) -> Any:
    """Loss and gradient once more, for torch optimizers that ask."""

    def ask(row: int) -> tuple[torch.Tensor, torch.Tensor]:
        height, slope = surface.slopes(params[row : row + 1].numpy(), seen[0])
        return torch.from_numpy(height)[0], torch.from_numpy(slope)[0]

    return ask


def _clips(lanes: Sequence[Lane]) -> Floats | None:
    if all(lane.clip is None for lane in lanes):
        return None
    return np.array([np.inf if lane.clip is None else lane.clip for lane in lanes])


class _Point(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.point = nn.Parameter(torch.zeros(2, dtype=torch.float64))
