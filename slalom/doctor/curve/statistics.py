"""What a noisy curve says: its noise, its trend with a confidence interval, its swings around a level."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from slalom.doctor.curve.values import Floats

MAD = 1.4826  # from the median absolute deviation to a standard deviation, for Gaussian noise
TAIL = 0.025  # on either side of an interval of 95 %


def noise(values: Floats) -> float:
    """Standard deviation of the noise from value to value, by the median absolute second difference.

    A trend, even a curved one, does not add to it, and neither do a few outliers. White noise of sd s gives second differences
    of sd s * sqrt(6).

    >>> line = np.linspace(5, 1, 400)
    >>> noise(line) < 1e-12, round(noise(line + np.random.default_rng(0).normal(0, 0.1, 400)), 2)
    (True, 0.1)
    """
    return float(noises(values[None])[0])


def noises(curves: Floats) -> Floats:
    """`noise` of each row of `[curves, n]`."""
    if curves.shape[1] < 3:
        return np.zeros(len(curves))
    made: Floats = MAD * np.median(np.abs(np.diff(curves, 2)), axis=1) / np.sqrt(6)
    return made


def block_means(values: Floats, blocks: int) -> tuple[Floats, Floats]:
    """Means of `blocks` stretches of nearly equal length of the last axis, and the places of their middles."""
    n = values.shape[-1]
    parts = np.array_split(np.arange(n), min(blocks, n))
    means = [values[..., p[0] : p[-1] + 1].mean(axis=-1) for p in parts]
    return np.stack(means, axis=-1), np.array([p.mean() for p in parts])


@dataclass(frozen=True)
class Trend:
    """A slope a unit of the axis, and its 95 % confidence interval."""

    slope: float
    low: float
    high: float


def trend(values: Floats, along: Floats | None = None, blocks: int = 10) -> Trend:
    """The Theil-Sen slope of block means along an axis (by default the position), with its interval.

    Means of blocks take out what neighbours share; the median of pairwise slopes does not follow single outliers. Source: Sen
    1968, as `scipy.stats.theilslopes` has it.
    """
    return trends(values[None], along, blocks)[0]


def trends(curves: Floats, along: Floats | None = None, blocks: int = 10) -> list[Trend]:
    """`trend` of each row of `[curves, n]` along one axis that they share."""
    means, middles = block_means(curves, blocks)
    if along is not None:
        middles = np.interp(middles, np.arange(curves.shape[1]), along)
    n = means.shape[1]
    if np.ptp(middles) == 0 or n < 3:
        return [Trend(0.0, -np.inf, np.inf)] * len(curves)
    order = np.sort(means, axis=1)
    tied = np.full(len(curves), bool((np.diff(np.sort(middles)) == 0).any())) | (order[:, 1:] == order[:, :-1]).any(axis=1)
    made = [Trend(0.0, 0.0, 0.0)] * len(curves)
    if not tied.all():
        i, j = np.triu_indices(n, 1)
        free = np.flatnonzero(~tied)
        slopes = np.sort((means[free][:, j] - means[free][:, i]) / (middles[j] - middles[i]), axis=1)
        pairs, spread = len(i), NormalDist().inv_cdf(TAIL) * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)  # Sen's (2.6), no ties
        low, high = max(round((pairs + spread) / 2) - 1, 0), min(round((pairs - spread) / 2), pairs - 1)
        middle = np.median(slopes, axis=1)
        for k, row, slope in zip(free, slopes, middle, strict=True):
            made[k] = Trend(float(slope), float(row[low]), float(row[high]))
    for k in np.flatnonzero(tied):
        made[k] = _with_ties(means[k], middles)
    return made


def _with_ties(means: Floats, middles: Floats) -> Trend:
    """Equal values narrow the interval: scipy counts them."""
    from scipy.stats import theilslopes

    slope, _, low, high = theilslopes(means, middles, alpha=1 - 2 * TAIL)
    return Trend(float(slope), float(low), float(high))


@dataclass(frozen=True)
class Swing:
    """The strongest oscillation: period in values, amplitude, and the share of the variance around the line that it explains.

    `chance`: how probable so large a share is in white noise (Fisher's g test).
    """

    period: float
    amplitude: float
    share: float
    chance: float


def swing(values: Floats, slowest: int = 3) -> Swing:
    """The strongest oscillation around a straight line, of at least `slowest` periods in what is given.

    Source: Fisher 1929, "Tests of significance in harmonic analysis"; the chance is bounded by its first term, K (1 - g)^(K-1).

    >>> t = np.arange(64)
    >>> found = swing(2 + 0.5 * np.cos(2 * np.pi * t / 8))
    >>> round(found.period), round(found.amplitude, 1), found.share > 0.9
    (8, 0.5, True)
    """
    return swings(values[None], slowest)[0]


def swings(curves: Floats, slowest: int = 3) -> list[Swing]:
    """`swing` of each row of `[curves, n]`."""
    n = curves.shape[1]
    t = np.arange(n) - (n - 1) / 2
    rest = curves - curves.mean(axis=1, keepdims=True) - np.outer(curves @ t, t) / float(t @ t)
    power = np.abs(np.fft.rfft(rest, axis=1))[:, 1:] ** 2
    power[:, -1] *= 0.5 if n % 2 == 0 else 1.0  # at half a cycle a value, cosine and its mirror are one
    total, bins = power.sum(axis=1), power.shape[1]
    still = total <= 1e-24 * n * (curves * curves).sum(axis=1)
    if bins <= slowest:
        still[:] = True
    made = []
    for k, row in enumerate(power):
        if still[k]:
            made.append(Swing(float("nan"), 0.0, 0.0, 1.0))
            continue
        best = int(np.argmax(row[slowest - 1 :])) + slowest - 1
        near = row[max(best - 1, slowest - 1) : best + 2].sum()  # a period between two bins shows in both
        g = float(row[best] / total[k])
        chance = min(1.0, bins * (1 - g) ** (bins - 1))
        amplitude = float(np.sqrt(2 * rest[k].var() * near / total[k]))
        made.append(Swing(n / (best + 1), amplitude, float(near / total[k]), chance))
    return made
