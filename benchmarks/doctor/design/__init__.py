"""The set that the doctor's rules are designed on: other tasks, settings and faults than either half of the bench holds.

`python -m benchmarks.doctor.design fit --seeds 0` prints every case with what was said; `check` is looked at seldom.
"""
