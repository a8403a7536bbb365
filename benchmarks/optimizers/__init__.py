"""Every optimizer's step against torch's: `python -m benchmarks optimizers [--device cuda]`. See `study.py`."""

from benchmarks.optimizers.study import main

__all__ = ["main"]
