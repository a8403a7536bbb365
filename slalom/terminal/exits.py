"""Exit codes, and the one place that turns what went wrong into a line for a person and a code for a program."""

from __future__ import annotations

import errno
import sys
import traceback

FINE = 0
BAD_INPUT = 1  # data, names, values or a run directory that cannot be used: one line on stderr
USAGE = 2  # the command line itself
NOTHING_FINISHED = 3  # the race ran, and every lane of it retired
FAULT = 70  # a fault in Slalom or in the user's own code; --debug shows the traceback
INTERRUPTED = 130  # Ctrl-C: what finished is kept
PIPE_CLOSED = 141  # whoever read the output went away
TERMINATED = 143  # SIGTERM: as Ctrl-C


class Terminated(KeyboardInterrupt):
    """SIGTERM, made an exception so that it stops a race as cleanly as Ctrl-C does."""


def report(error: BaseException, *, debug: bool) -> int:
    """Write what happened to stderr and return the exit code."""
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    if isinstance(error, KeyboardInterrupt):
        print("slalom: stopped", file=sys.stderr)
        return TERMINATED if isinstance(error, Terminated) else INTERRUPTED
    if debug:
        traceback.print_exception(error)
    from slalom.core.errors import SlalomError

    if isinstance(error, SlalomError | FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        print(f"slalom: {_sentence(error)}", file=sys.stderr)
        return BAD_INPUT
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        print(f"slalom: cannot write: {error.strerror}; make room, or write elsewhere", file=sys.stderr)
        return BAD_INPUT
    print(f"slalom: unexpected {type(error).__name__}: {_sentence(error)} ({_place(error)})", file=sys.stderr)
    if not debug:
        print("slalom: run it again as `slalom --debug ...` to see the traceback", file=sys.stderr)
    return FAULT


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "no place known"
