"""Landscapes as records of plain data: heights on a grid, and the paths that a page plays over them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slalom.landscape.networks.record import Interpolation, NetworkLandscape, Plane
from slalom.landscape.paths.record import Landscape
from slalom.landscape.paths.record import Path as Way
from slalom.landscape.teaching.record import Panels

Floats = NDArray[np.float64]
GRID = 64  # heights a side; of a network's plane, its own points
MOST_POINTS = 400  # of a path
DRAWN = (Landscape, NetworkLandscape, Panels, Interpolation)  # what `build_ground` reads


@dataclass(frozen=True)
class Walk:
    """A way over a scene: places `[n]`, losses `[n]` (NaN once it was let go), after how many steps each.

    `arrived`, `stopped`: the step at which it was there, or was let go. `note`: what else there is to say.
    """

    rule: str
    lr: float
    x: Floats
    y: Floats
    losses: Floats
    arrived: int | None = None
    stopped: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Scene:
    """Heights `z [side, side]`, rows along y, over `box` (x0, x1, y0, y1); `log`: they span decades. `steps [n]` of its walks."""

    caption: str
    box: tuple[float, float, float, float]
    z: Floats
    log: bool
    walks: tuple[Walk, ...] = ()
    steps: tuple[int, ...] = (0,)
    start: tuple[float, float] | None = None
    minima: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class LineFigure:
    """Losses along the line between two networks, at `at` (0 the first, 1 the second)."""

    at: tuple[float, ...]
    train: tuple[float, ...]
    val: tuple[float, ...] | None
    names: tuple[str, str]


@dataclass(frozen=True)
class GroundFigure:
    """A landscape: its scenes beside each other, or the one line between two networks; `facts`: (name, value)."""

    title: str
    about: str
    facts: tuple[tuple[str, str], ...]
    scenes: tuple[Scene, ...] = ()
    line: LineFigure | None = None
    notes: tuple[str, ...] = ()


def build_ground(record: Any) -> GroundFigure:
    """The figure of a `Landscape`, teaching `Panels`, a `NetworkLandscape` or an `Interpolation`."""
    facts: tuple[tuple[str, str], ...]
    if isinstance(record, Landscape):
        s = record.surface
        facts = (("start", _point(s.start)), ("steps", str(record.steps)), ("there when", record.goal))
        facts += (("lr", record.fairness.words),)
        text = f"f(x, y) = {s.text}" if s.data is None else f"{s.title}, {len(s.data)} rows, {s.batch} a step"
        return GroundFigure(record.title, text, facts, (_scene(record, ""),), notes=record.notes)
    if isinstance(record, Panels):
        return GroundFigure(record.title, record.words, (), tuple(_scene(made, caption) for caption, made in record.panels))
    if isinstance(record, NetworkLandscape):
        facts = (("parameters", f"{record.parameters:,}"),)
        facts += () if record.centre is None else (("loss in the middle", f"{record.centre:.4g}"),)
        return GroundFigure(record.title, record.about, facts, tuple(map(_plane, record.planes)), notes=record.notes)
    val = None if record.val is None else tuple(map(float, record.val))
    line = LineFigure(tuple(map(float, record.at)), tuple(map(float, record.train)), val, record.names)
    facts = (("barrier", f"{record.barrier:.4g}"), ("from", record.names[0]), ("to", record.names[1]))
    return GroundFigure(record.title, record.about, facts, line=line)


def _scene(record: Landscape, caption: str) -> Scene:
    s = record.surface
    _, _, z = s.grid(GRID)
    every = max(1, math.ceil(record.steps / MOST_POINTS))
    steps = tuple(dict.fromkeys([*range(0, record.steps + 1, every), record.steps]))
    walks = tuple(_walk(path, list(steps)) for path in record.paths)
    return Scene(caption, s.box, np.asarray(z, dtype=np.float64), s.log, walks, steps, s.start, tuple(s.minima))


def _walk(path: Way, steps: list[int]) -> Walk:
    points = path.points[steps]
    note = "at the edge of its search" if path.at_edge else ""
    return Walk(path.rule, path.lr, points[:, 0], points[:, 1], path.losses[steps], path.arrived, path.stopped, note)


def _plane(plane: Plane) -> Scene:
    box = (float(plane.x[0]), float(plane.x[-1]), float(plane.y[0]), float(plane.y[-1]))
    walks = tuple(
        Walk(t.rule, t.lr, t.points[:, 0], t.points[:, 1], t.losses, note=f"its end is {t.apart:.0%} of its way off this plane")
        for t in plane.traces
    )
    good = plane.losses[np.isfinite(plane.losses)]
    log = bool(len(good) and good.min() > 0 and good.max() / good.min() > 8)
    middle = (float(np.mean(box[:2])), float(np.mean(box[2:])))
    steps = plane.traces[0].steps if plane.traces else (0,)
    start = (float(walks[0].x[0]), float(walks[0].y[0])) if walks else middle
    return Scene(plane.words, box, plane.losses, log, walks, steps, start)


def _point(point: tuple[float, float]) -> str:
    return f"({point[0]:.4g}, {point[1]:.4g})"
