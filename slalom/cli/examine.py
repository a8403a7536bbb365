"""`slalom examine`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slalom.cli import options
from slalom.cli.app import app


@app.command(cls=options.sections(), short_help="Why does this training fall short, what mends it?")
def examine(
    place: Annotated[
        str,
        typer.Argument(
            metavar="PACKAGE.MODULE:FUNCTION", help="A function that returns the arguments of slalom.examine as a dict."
        ),
    ],
    repair: Annotated[bool, typer.Option("--repair", help="Try the fixes of what is found, and train the best.")] = False,
    budget: Annotated[
        float | None,
        typer.Option(metavar="RUNS", min=0, help="What experiments may cost, in runs of the set-up.", show_default="12"),
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page of it.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Train a set-up as it stands and say whether anything is wrong with it, why, and what mends it."""
    from slalom.terminal import examining

    examining.show(place, repair=repair, budget=budget, page=report, json=json)
