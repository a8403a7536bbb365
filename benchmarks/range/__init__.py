"""The range test against other finders: `python -m benchmarks range`. See `study.py`."""

from benchmarks.range.study import main

__all__ = ["main"]
