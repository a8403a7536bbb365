"""Activations: a catalogue, the layers that torch lacks, and what each makes of standard normal inputs."""

from slalom.nets.activations.catalogue import ACTIVATIONS, MAXOUT, NAMES, Activation, activation, entry
from slalom.nets.activations.cost import relative_cost
from slalom.nets.activations.layers import Maxout, Swish
from slalom.nets.activations.moments import Moments, maxout_moments, moments

__all__ = [
    "ACTIVATIONS", "MAXOUT", "NAMES", "Activation", "Maxout", "Moments", "Swish", "activation", "entry", "maxout_moments",
    "moments", "relative_cost",
]  # fmt: skip
