"""Reading loss curves: 216 labelled runs, confusion matrices."""

from benchmarks.curves.study import main

__all__ = ["main"]
