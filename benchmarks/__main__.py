"""Runs the parts named on the command line, or all: `python -m benchmarks race`, or `... optimizers --device cuda`."""

from __future__ import annotations

import argparse
import importlib

PARTS = (
    "race", "optimizers", "lanes", "range", "curves", "sparse", "activations", "regularisation", "compare", "doctor",
    "landscape", "page",
    "doctor.overhead", "doctor.repair",
    "tune", "tune.rivals", "tune.overhead", "tune.kills", "tune.scaling",
)  # fmt: skip

ON_DEVICES = ("optimizers", "lanes")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help=f"of {', '.join(PARTS)}; all when none is named")
    parser.add_argument("--device", default="cpu", help="of the parts `optimizers` and `lanes`: cpu or cuda")
    given = parser.parse_args()
    if given.device != "cpu" and not {*(given.parts or PARTS)} <= {*ON_DEVICES}:
        parser.error(f"--device {given.device} is for {' and '.join(ON_DEVICES)} alone; the other parts run on the processor")
    for part in given.parts or PARTS:
        run = importlib.import_module(f"benchmarks.{part}").main
        run(given.device) if part in ON_DEVICES else run()
