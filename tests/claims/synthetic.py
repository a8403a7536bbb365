"""Outcomes made up from a known effect: normal values a seed, the first set's and the second's."""

import numpy as np

from slalom.claims import Outcome


def values(mean, sd=1.0, n=5, seed=0):
    return tuple(float(v) for v in mean + sd * np.random.default_rng(seed).standard_normal(2 * n))


def outcome(**effects):
    return Outcome({k: v if isinstance(v, tuple) else values(v) for k, v in effects.items()})
