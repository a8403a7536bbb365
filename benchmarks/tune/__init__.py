"""`python -m benchmarks tune`: time to a target that was fixed beforehand, the sampler's time, restarts. See `measure.py`."""

from benchmarks.tune.measure import main

__all__ = ["main"]
