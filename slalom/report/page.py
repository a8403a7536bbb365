"""The pages: a race's, and the playground's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slalom.figures.records import RaceFigure
from slalom.report.payload import common, payload
from slalom.report.shell import ENGINE, STYLES, asset, document, policy, write_text

__all__ = ["SCRIPTS", "STYLES", "asset", "policy", "render", "render_live", "render_playground", "write"]

_FIRST = (
    "uplot/uPlot.iife.min.js", "js/base.js", "js/numbers.js", "js/ticks.js", "js/decode.js", "js/palette.js", "js/theme.js",
    "js/tabs.js", "js/plot.js",
)  # fmt: skip
_PLAY = (ENGINE, "js/landscape/field.js", "js/landscape/walk.js", "js/landscape/player.js", "js/landscape/playground.js")
_LAST = (*_PLAY, "js/activations.js", "js/start.js")
SCRIPTS = (
    *_FIRST, "js/state.js", "js/scale.js", "js/strip.js", "js/comparison.js", "js/leaderboard.js", "js/legend.js",
    "js/curves.js", "js/lr.js", "js/heat.js", "js/range.js", "js/schedule.js", "js/findings.js", "js/details.js",
    "js/download.js", *_LAST,
)  # fmt: skip
PLAYGROUND = (*_FIRST, *_LAST)


def render(figure: RaceFigure) -> str:
    """The page of a race: the same figure gives the same text, byte for byte."""
    return document("page.html", SCRIPTS, payload(figure), title=figure.title, verdict=figure.verdict)


def render_live(figure: RaceFigure, progress: Mapping[str, Any]) -> str:
    """The page of a race that runs: the same, with a stream of events from where it came (`slalom.report.serve`)."""
    data = {**payload(figure), "live": dict(progress)}
    return document("page.html", (*SCRIPTS, "js/live.js"), data, connect="'self'", title=figure.title, verdict=figure.verdict)


def render_playground() -> str:
    """The playground as a page of its own, with the activations."""
    return document("playground.html", PLAYGROUND, common(), title="playground")


def write(figure: RaceFigure, path: str | os.PathLike[str]) -> Path:
    """Write the page to `path`, whole or not at all, and return the path; missing folders are made.

    Errors: `StoreError` where the place cannot be written.
    """
    return write_text(render(figure), path)
