"""The doctor on the reporting half of the fault bench, beside the published rules."""

from benchmarks.doctor.study import main

__all__ = ["main"]
