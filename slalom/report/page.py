"""The pages: a race's, the same live, and the playground's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slalom.figures.records import RaceFigure
from slalom.report.parts import page_of, play_part, race_part
from slalom.report.shell import write_text

__all__ = ["render", "render_live", "render_playground", "write"]


def render(figure: RaceFigure) -> str:
    """The page of a race: the same figure gives the same text, byte for byte."""
    return page_of([race_part(figure), play_part(figure.rules)], figure.title)


def render_live(figure: RaceFigure, progress: Mapping[str, Any]) -> str:
    """The page of a race that runs: the same, with a stream of events from where it came (`slalom.report.serve`)."""
    parts = [race_part(figure), play_part(figure.rules)]
    return page_of(parts, figure.title, connect="'self'", more=["js/race/live.js"], live=dict(progress))


def render_playground() -> str:
    """The playground as a page of its own, with the activations."""
    return page_of([play_part()], "playground")


def write(figure: RaceFigure, path: str | os.PathLike[str]) -> Path:
    """Write the page to `path`, whole or not at all, and return the path; missing folders are made.

    Errors: `StoreError` where the place cannot be written.
    """
    return write_text(render(figure), path)
