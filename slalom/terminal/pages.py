"""Pages that are made, and opened on request."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from slalom.core.errors import BadValueError
from slalom.terminal.output import say


def playground(output: Path, *, open_it: bool) -> None:
    """Write the playground and say where it is."""
    from slalom.report import write_playground

    where = write_playground(output)
    say(str(where))
    if open_it:
        show(where.resolve().as_uri())


def show(address: str) -> None:
    """Open an address in the person's browser; an error where there is none."""
    if not webbrowser.open(address):
        raise BadValueError(f"no browser could be opened; open {address} yourself")
