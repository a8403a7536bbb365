"""Landscapes as the JSON that the page's player reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from slalom.figures.ground import GroundFigure, Scene
from slalom.report.pack import pack
from slalom.report.payload import rounded


def ground_payload(figures: Sequence[GroundFigure], coloured: Sequence[str] = ()) -> dict[str, Any]:
    """The landscapes; a rule has one colour in all of them, the one that it has in `coloured` where it is there."""
    names = [walk.rule for figure in figures for scene in figure.scenes for walk in scene.walks]
    colours = {name: k for k, name in enumerate(dict.fromkeys([*coloured, *names]))}
    return {"landscapes": [_figure(figure, colours) for figure in figures]}


def _figure(figure: GroundFigure, colours: dict[str, int]) -> dict[str, Any]:
    line = figure.line
    return {
        "title": figure.title, "about": figure.about, "facts": figure.facts, "notes": figure.notes,
        "scenes": [_scene(scene, colours) for scene in figure.scenes],
        "line": line and rounded({"at": line.at, "train": line.train, "val": line.val, "names": line.names}),
    }  # fmt: skip


def _scene(scene: Scene, colours: dict[str, int]) -> dict[str, Any]:
    """Places and heights packed: to a few thousandths of their range, which is less than a pixel."""
    walks = [
        {"rule": w.rule, "lr": w.lr, "colour": colours[w.rule], "arrived": w.arrived, "stopped": w.stopped, "note": w.note}
        for w in scene.walks
    ]
    x, y, losses = ([getattr(w, name) for w in scene.walks] for name in ("x", "y", "losses"))
    return {
        "caption": scene.caption, "log": scene.log, "side": scene.z.shape[0], "z": pack(scene.z.reshape(1, -1)), "walks": walks,
        "ways": {"x": pack(_inside(x)), "y": pack(_inside(y)), "losses": pack(losses)} if walks else None, "steps": scene.steps,
        **rounded({"box": scene.box, "start": scene.start, "minima": scene.minima}),
    }  # fmt: skip


def _inside(places: Sequence[Any]) -> Any:
    """What is not finite has no place."""
    array = np.asarray(places, dtype=np.float64)
    return np.where(np.isfinite(array), array, np.nan)
