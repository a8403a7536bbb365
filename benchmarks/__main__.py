"""Runs the parts named on the command line, or all: `python -m benchmarks race`."""

from __future__ import annotations

import argparse
import importlib

PARTS = ("race", "optimizers", "curves")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help=f"of {', '.join(PARTS)}; all when none is named")
    for part in parser.parse_args().parts or PARTS:
        importlib.import_module(f"benchmarks.{part}").main()
