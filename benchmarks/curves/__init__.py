"""Reading loss curves: 216 labelled runs, a confusion matrix."""

from benchmarks.curves.study import main

__all__ = ["main"]
