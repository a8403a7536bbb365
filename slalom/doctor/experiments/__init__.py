"""Counterfactual runs: one thing changed, everything else the same; what wins names the cause."""

from slalom.doctor.experiments.gain import Gain, gain
from slalom.doctor.experiments.suspects import Suspect, tested

__all__ = ["Gain", "Suspect", "gain", "tested"]
