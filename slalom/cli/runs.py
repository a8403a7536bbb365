"""The commands that read a run directory again: show, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slalom.cli import options
from slalom.cli.app import app


@app.command(cls=options.sections())
def show(
    directory: Annotated[Path, typer.Argument(help="A run directory.")],
    json: Annotated[bool, typer.Option("--json", help="The result as one JSON object.")] = False,
) -> None:
    """Print the leaderboard of a run directory."""
    from slalom.terminal.race import session

    raise typer.Exit(session.show_directory(directory, json=json))


@app.command(cls=options.sections(), short_help="Make the page of run directories again.")
def report(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="A run directory; a race's and a search's: a tab each.")
    ],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The page.", show_default="report.html in it")] = None,
    range_test: Annotated[
        Path | None, typer.Option("--range-test", metavar="FILE", help="Show what `slalom range --json > FILE` found too.")
    ] = None,
) -> None:
    """Make the page of a run directory again, or one page of several."""
    from slalom.terminal.race import session

    session.report_directories(directories, output, range_test)
