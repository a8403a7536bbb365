"""The command line: parse, call, print, exit code.

Exit codes: 0 fine; 1 input, data or a run directory that cannot be used; 2 the command line itself; 3 every lane of the
race retired; 70 a fault (`--debug` shows the traceback); 130 Ctrl-C; 141 whoever read the output went away; 143 SIGTERM.

Whatever is heavy (torch, rich, the race) is imported inside a command, so that `slalom --help` answers at once.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys

from slalom.cli.app import app

__all__ = ["app", "main"]

# Each file registers its commands with `app`; this is the order in which `slalom --help` lists them.
for _file in ("race", "range_test", "learning_curve", "tune", "examine", "landscape", "claims", "catalogues", "runs", "pages"):
    importlib.import_module(f"slalom.cli.{_file}")


def main() -> None:
    """The entry point of the `slalom` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without these letters gets '?', not a crash
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # so that --model package.module:factory finds what lies here
    signal.signal(signal.SIGTERM, _terminated)
    try:
        app(prog_name="slalom")
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError as error:
            from slalom.terminal import exits

            os._exit(exits.report(error, debug=False))  # an ordinary exit would try to flush again, and complain


def _terminated(number: int, frame: object) -> None:
    from slalom.terminal.exits import Terminated

    raise Terminated
