"""Pages that are made, served and opened on request."""

from __future__ import annotations

import contextlib
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from slalom.race.events import Event, RaceStarted
from slalom.terminal.output import say

if TYPE_CHECKING:
    from slalom.report.serve import Server

OnEvent = Callable[[Event], None]
FOREVER = threading.Event()  # never set


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
        from slalom.core.errors import BadValueError

        raise BadValueError(f"no browser could be opened; open {address} yourself")


def watch(directory: Path, port: int, *, open_it: bool) -> None:
    """Serve a run directory until Ctrl-C, which is how this ends well."""
    from slalom.core.checks import whole
    from slalom.report.serve import Server

    whole(port, "--port", 0, 65535)
    with Server(directory, port) as server:
        say(server.url)
        print("slalom: Ctrl-C ends it", file=sys.stderr)
        if open_it:
            show(server.url)
        until_stopped()


def until_stopped() -> None:
    """Wait for Ctrl-C."""
    try:
        FOREVER.wait()
    except KeyboardInterrupt:
        return


@contextlib.contextmanager
def served(wanted: bool, *, linger: bool) -> Iterator[Callable[[OnEvent], OnEvent]]:
    """`with served(True, ...) as heard: race(on_event=heard(view))`: the race's page is live from the moment it has a directory.

    Where it is, is said on stderr. `linger`: when the race has ended, go on while a page is open, or until Ctrl-C.
    """
    server: Server | None = None

    def heard(view: OnEvent) -> OnEvent:
        def hear(event: Event) -> None:
            nonlocal server
            view(event)
            if isinstance(event, RaceStarted) and event.directory is not None and server is None:
                from slalom.report.serve import Server

                server = Server(event.directory).__enter__()
                print(f"slalom: watch it at {server.url}", file=sys.stderr)

        return hear if wanted else view

    try:
        yield heard
        if server is not None and linger and server.watched:
            print("slalom: the page is served until it is closed, or Ctrl-C", file=sys.stderr)
            server.wait_until_alone()
    finally:
        if server is not None:
            server.close()
