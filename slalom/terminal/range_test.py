"""A range test at the terminal: run, show, draw."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Any

from slalom.core.errors import BadValueError, StoreError
from slalom.race.range import range_test
from slalom.report.shell import check_place
from slalom.terminal.output import console, say

LABELS = 24  # columns beside the chart: the loss's figures and the frame
WIDEST = 100


def show(given: dict[str, Any], plot: Path | None, *, json: bool, page: Path | None = None) -> None:
    """Run the test that the options describe and print what it found."""
    if plot is not None:
        drawable(plot)
    if page is not None:
        check_place(page)
    result = range_test(**given)
    if plot is not None:
        result.plot(plot)
    if page is not None:
        result.report(page)
    if json:
        say(json_format.dumps(result.to_dict()))
        return
    out = console()
    plain = not (out.encoding or "").lower().startswith("utf")
    say(result.text(width=max(min(out.width, WIDEST) - LABELS, 20), ascii_only=plain))


def drawable(plot: Path) -> None:
    """An error before any work where the picture could not be drawn in the end."""
    from slalom.race.range.plot import figure_class

    known = figure_class()().canvas.get_supported_filetypes()
    if plot.suffix.lower().lstrip(".") not in known:
        raise BadValueError(f"cannot write {plot.name!r}: the ending must be one of {', '.join(f'.{k}' for k in sorted(known))}")
    if not plot.absolute().parent.is_dir():
        raise StoreError(f"cannot write {plot}: there is no folder {plot.parent}")
