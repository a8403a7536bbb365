"""Standard output: as tables want it, and as lines want it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

WIDTH = 120  # of tables where there is no terminal to ask


class Out(Console):
    """A console whose reader may go away: that is an error like any other, not rich's own exit."""

    def on_broken_pipe(self) -> None:
        """Let the command line report it."""
        raise BrokenPipeError


def console() -> Console:
    """Standard output as rich sees it; wide enough for the tables where it is not a terminal."""
    made = Out(highlight=False)
    return made if made.is_terminal else Out(highlight=False, width=max(made.width, WIDTH))


def say(text: str) -> None:
    """One line, out at once, so that a pipe's reader sees it when it happens."""
    print(text, flush=True)


class _Told(logging.Handler):
    """Lines on stderr, as it is at the time: a live view puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)


@contextmanager
def explained(wanted: bool) -> Iterator[None]:
    """While it lasts, lanes say on stderr which mechanism runs them, what was measured, and why."""
    if not wanted:
        yield
        return
    lanes, handler = logging.getLogger("slalom.lanes"), _Told()
    before = lanes.level
    lanes.addHandler(handler)
    lanes.setLevel(logging.INFO)
    try:
        yield
    finally:
        lanes.removeHandler(handler)
        lanes.setLevel(before)
