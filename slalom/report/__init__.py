"""Reports: a figure's records as one self-contained HTML file."""

from __future__ import annotations

import os
from pathlib import Path

from slalom.figures import build_race
from slalom.figures.race import RaceLike
from slalom.report.page import render, write

__all__ = ["render", "write", "write_report"]


def write_report(result: RaceLike, path: str | os.PathLike[str]) -> Path:
    """Write a race's page to `path` and return the path: what `RaceResult.report` calls.

    One HTML file with everything inside it, about 300 KB for 300 lanes; it opens from disk and makes no request.
    Errors: `StoreError` where the place cannot be written, `BadDataError` where the curves do not fit the lanes.
    """
    return write(build_race(result), path)
