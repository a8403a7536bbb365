"""Measurements: ratios taken in one run, medians and spread. `python -m benchmarks [part ...]`."""
