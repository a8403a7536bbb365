"""What teaching pictures are made of: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slalom.landscape.paths.record import Landscape, finite
from slalom.landscape.pictures import Drawable
from slalom.landscape.surfaces import Surface

Floats = NDArray[np.float64]
Point = tuple[float, float]


@dataclass(frozen=True)
class Panels(Drawable):
    """Landscapes beside each other, each with its caption."""

    title: str
    words: str
    panels: tuple[tuple[str, Landscape], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds."""
        panels = [{"caption": caption, "landscape": made.to_dict()} for caption, made in self.panels]
        return {"title": self.title, "words": self.words, "panels": panels}


@dataclass(frozen=True)
class Arrow:
    """From one point to another. `part`: "carried" (the old velocity), "slope" (the gradient's share), "step" (both)."""

    part: str
    begin: Point
    end: Point
    number: int  # which step, from 1


@dataclass(frozen=True)
class Vectors(Drawable):
    """Steps of several methods taken apart into arrows, on one surface from one point and velocity."""

    title: str
    words: str
    surface: Surface
    methods: tuple[tuple[str, tuple[Arrow, ...]], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds."""
        arrows = {
            name: [{"part": a.part, "begin": list(a.begin), "end": list(a.end), "number": a.number} for a in made]
            for name, made in self.methods
        }
        return {"title": self.title, "words": self.words, "surface": self.surface.text, "methods": arrows}


@dataclass(frozen=True)
class Curve:
    """`y [n]` over `x [n]`. `thin`: a reference, drawn with a thin broken line."""

    label: str
    x: Floats
    y: Floats
    thin: bool = False


@dataclass(frozen=True)
class Chart:
    """Curves on one pair of axes; `log`: which of them are logarithmic ("", "x", "y", "xy")."""

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    log: str = ""


@dataclass(frozen=True)
class Charts(Drawable):
    """Charts beside each other."""

    title: str
    words: str
    charts: tuple[Chart, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds."""
        return {
            "title": self.title, "words": self.words,
            "charts": [
                {"title": c.title, "x": c.x, "y": c.y, "log": c.log,
                 "curves": [{"label": k.label, "x": k.x.tolist(), "y": [finite(v) for v in k.y.tolist()]} for k in c.curves]}
                for c in self.charts
            ],
        }  # fmt: skip


@dataclass(frozen=True)
class Layers:
    """An activation: `f [n]` and `slope [n]` at `x [n]`, and what it makes of a signal in a deep network, layer by layer.

    `edges [m + 1]`, `shares [layers, m]`: the histogram of its values; `spread [layers]`: their standard deviations.
    """

    name: str
    x: Floats
    f: Floats
    slope: Floats
    edges: Floats
    shares: Floats
    spread: Floats


@dataclass(frozen=True)
class Activations(Drawable):
    """Activations beside each other, each with what it makes of a signal on its way through layers."""

    title: str
    words: str
    rows: tuple[Layers, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds."""
        rows = [
            {"name": r.name, "x": r.x.tolist(), "f": r.f.tolist(), "slope": r.slope.tolist(), "edges": r.edges.tolist(),
             "shares": r.shares.tolist(), "spread": r.spread.tolist()} for r in self.rows
        ]  # fmt: skip
        return {"title": self.title, "words": self.words, "activations": rows}
