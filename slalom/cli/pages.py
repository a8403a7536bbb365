"""The commands that make a page of their own: playground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slalom.cli.app import app


@app.command()
def playground(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The page.")] = Path("playground.html"),
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write a page on which every rule runs on test surfaces, live: rates, momentum, start and surface under your hand."""
    from slalom.terminal import pages

    pages.playground(output, open_it=open_)
