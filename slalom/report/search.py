"""A search's page: one self-contained file, drawn by its own script from the record."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from slalom.figures.search import SearchFigure, build_search
from slalom.report.payload import rounded
from slalom.report.shell import document, write_text

SCRIPTS = ("js/base.js", "js/theme.js", "js/search/axes.js", "js/search/plots.js", "js/search/start.js")


def render_search(figure: SearchFigure) -> str:
    """The page of a search: the same figure gives the same text, byte for byte."""
    data = rounded(dataclasses.asdict(figure))
    return document("search.html", SCRIPTS, data, title=figure.title, verdict=figure.verdict)


def write_search(result: Any, path: str | os.PathLike[str]) -> Path:
    """Write a search's page to `path` and return the path: what `TuneResult.report` calls."""
    return write_text(render_search(build_search(result)), path)
