"""`python -m benchmarks tune`: time to targets that were fixed beforehand. Beside it `tune.rivals` (Optuna with each pruner, in
one process and one a core), `tune.overhead`, `tune.kills` and `tune.scaling`."""

from benchmarks.tune.pairs import main

__all__ = ["main"]
