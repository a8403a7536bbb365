"""Records as pictures, by matplotlib: still ones, moving ones, into files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from slalom.figures.pictures.saving import check, write_moving, write_still
from slalom.figures.pictures.scenes import scene_of
from slalom.figures.pictures.style import matplotlib_for, theme_of

FRAMES = 80

__all__ = ["plot", "png", "ready", "save"]


def plot(record: Any, **options: Any) -> Any:
    """The record as a matplotlib Figure. `theme`: "dark" or "light"; `size`: (width, height) in inches."""
    return scene_of(record, **options).still()


def png(record: Any, **options: Any) -> bytes:
    """The still picture as PNG."""
    buffer = io.BytesIO()
    plot(record, **options).savefig(buffer, format="png")
    return buffer.getvalue()


def ready(path: Any, *, frames: int | None = None, fps: int = 20, theme: str = "dark", **_: Any) -> None:
    """The errors of `save` that need no record, before the work."""
    matplotlib_for("a picture")
    theme_of(theme)
    check(Path(path), frames, fps)


def save(record: Any, path: Any, *, frames: int | None = None, fps: int = 20, **options: Any) -> Path:
    """Write the record's picture and return the path: .png, .svg, .pdf still; .webp, .gif, .mp4 moving where it moves.

    A .webp of a record that does not move is still. Errors: BadValueError, MissingExtraError; nothing half-written is left.
    """
    where = Path(path)
    kind = check(where, frames, fps)
    scene = scene_of(record, **options)
    if kind == "still" or not scene.moves:
        write_still(scene, where)
    else:
        write_moving(scene, where, frames or FRAMES, fps)
    return where
