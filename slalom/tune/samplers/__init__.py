"""How the next configurations are chosen: each sampler a function of the seed and of the history so far."""

from slalom.tune.samplers.base import Asked, Past, Sampler
from slalom.tune.samplers.choose import METHODS, chosen, sampler_of

__all__ = ["METHODS", "Asked", "Past", "Sampler", "chosen", "sampler_of"]
