"""The commands that make or serve a page: playground, watch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slalom.cli import options
from slalom.cli.app import app


@app.command(cls=options.sections(), short_help="Write a page on which every rule runs, live.")
def playground(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The page.")] = Path("playground.html"),
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write a page on which every rule runs on test surfaces, live: rates, momentum, start and surface under your hand."""
    from slalom.terminal import pages

    pages.playground(output, open_it=open_)


@app.command(cls=options.sections(), short_help="Serve the page of a race live.")
def watch(
    directory: Annotated[Path, typer.Argument(help="A run directory, of a race that runs, will go on, or has ended.")],
    port: Annotated[int, typer.Option(metavar="N", help="To listen on.", show_default="a free one")] = 0,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Serve the page of a race live, to this machine alone, until Ctrl-C; the address is printed first."""
    from slalom.terminal import pages

    pages.watch(directory, port, open_it=open_)
