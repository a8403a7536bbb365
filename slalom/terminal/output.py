"""Standard output: as tables want it, and as lines want it."""

from __future__ import annotations

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
