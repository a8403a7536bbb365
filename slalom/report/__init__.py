"""Reports: a figure's records as one self-contained HTML file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from slalom.core.callable_module import make_callable
from slalom.figures import build_race
from slalom.figures.race import RaceLike
from slalom.report.combined import render_results, report
from slalom.report.page import render, render_playground, write
from slalom.report.search import render_search, write_search
from slalom.report.shell import write_text

__all__ = [
    "render", "render_playground", "render_results", "render_search", "report", "write", "write_playground", "write_report",
    "write_search",
]  # fmt: skip


def write_report(result: RaceLike, path: str | os.PathLike[str], range_test: Any = None) -> Path:
    """Write a race's page to `path` and return the path: what `RaceResult.report` calls.

    One HTML file with everything inside it, under 400 KB for 300 lanes; it opens from disk and makes no request. `range_test`:
    a `RangeResult` (or its `to_dict()`) to be shown beside the race. Errors: `StoreError` where the place cannot be written,
    `BadDataError` where the curves do not fit the lanes, `BadValueError` for what is no range test.
    """
    return write(build_race(result, range_test), path)


def write_playground(path: str | os.PathLike[str]) -> Path:
    """Write the playground to `path` and return the path: every rule on every surface, computed in the page as one plays.

    One HTML file of about 170 KB that makes no request. Errors: `StoreError` where the place cannot be written.
    """
    return write_text(render_playground(), path)


make_callable(__name__, report)
