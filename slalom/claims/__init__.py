"""The book of claims: what textbooks say of optimizers, activations and regularisation, tested on your machine."""

from slalom.claims.claim import Claim, Plan
from slalom.claims.criteria import Criterion, above, below, control, within
from slalom.claims.decide import KINDS, Verdict, decide
from slalom.claims.join import joined
from slalom.claims.outcome import Interval, Lines, Outcome, interval
from slalom.claims.registry import every, experiment
from slalom.claims.runner import go_on, run
from slalom.claims.store import ClaimsPlan, Result, Run, load_run, write_run
from slalom.claims.words import LANGUAGES, T

__all__ = [
    "KINDS", "LANGUAGES", "Claim", "ClaimsPlan", "Criterion", "Interval", "Lines", "Outcome", "Plan", "Result", "Run",
    "T", "Verdict", "above", "below", "control", "decide", "every", "experiment", "go_on", "interval", "joined",
    "load_run", "run", "within", "write_run",
]  # fmt: skip
