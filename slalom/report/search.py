"""A search's page: one self-contained file, drawn by its own script from the record."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from slalom.figures.search import SearchFigure, build_search
from slalom.report.parts import page_of, search_part
from slalom.report.shell import write_text


def render_search(figure: SearchFigure) -> str:
    """The page of a search: the same figure gives the same text, byte for byte."""
    return page_of([search_part(figure)], figure.title)


def write_search(result: Any, path: str | os.PathLike[str]) -> Path:
    """Write a search's page to `path` and return the path: what `TuneResult.report` calls."""
    return write_text(render_search(build_search(result)), path)
