"""What a noisy curve says: its noise, its trend with a confidence interval, its swings around a level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.doctor.curve.values import Floats

MAD = 1.4826  # from the median absolute deviation to a standard deviation, for Gaussian noise


def noise(values: Floats) -> float:
    """Standard deviation of the noise from value to value, by the median absolute second difference.

    A trend, even a curved one, does not add to it, and neither do a few outliers. White noise of sd s gives second differences
    of sd s * sqrt(6).

    >>> line = np.linspace(5, 1, 400)
    >>> noise(line) < 1e-12, round(noise(line + np.random.default_rng(0).normal(0, 0.1, 400)), 2)
    (True, 0.1)
    """
    if len(values) < 3:
        return 0.0
    return float(MAD * np.median(np.abs(np.diff(values, 2))) / np.sqrt(6))


def block_means(values: Floats, blocks: int) -> tuple[Floats, Floats]:
    """Means of `blocks` stretches of nearly equal length, and the places of their middles."""
    parts = np.array_split(np.arange(len(values)), min(blocks, len(values)))
    return np.array([values[p].mean() for p in parts]), np.array([p.mean() for p in parts])


@dataclass(frozen=True)
class Trend:
    """A slope a unit of the axis, and its 95 % confidence interval."""

    slope: float
    low: float
    high: float


def trend(values: Floats, along: Floats | None = None, blocks: int = 10) -> Trend:
    """The Theil-Sen slope of block means along an axis (by default the position), with its interval.

    Means of blocks take out what neighbours share; the median of pairwise slopes does not follow single outliers. Source: Sen
    1968, through `scipy.stats.theilslopes`.
    """
    from scipy.stats import theilslopes

    means, middles = block_means(values, blocks)
    if along is not None:
        middles = np.interp(middles, np.arange(len(values)), along)
    if np.ptp(middles) == 0 or len(means) < 3:
        return Trend(0.0, -np.inf, np.inf)
    slope, _, low, high = theilslopes(means, middles, alpha=0.95)
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
    n = len(values)
    t = np.arange(n) - (n - 1) / 2
    rest = values - values.mean() - t * float(t @ values) / float(t @ t)
    power = np.abs(np.fft.rfft(rest))[1:] ** 2
    power[-1] *= 0.5 if n % 2 == 0 else 1.0  # at half a cycle a value, cosine and its mirror are one
    total = float(power.sum())
    tiny = 1e-24 * n * float(values @ values)
    if total <= tiny or len(power) <= slowest:
        return Swing(float("nan"), 0.0, 0.0, 1.0)
    k = int(np.argmax(power[slowest - 1 :])) + slowest - 1
    near = power[max(k - 1, slowest - 1) : k + 2].sum()  # a period between two bins shows in both
    g = float(power[k]) / total
    chance = min(1.0, len(power) * (1 - g) ** (len(power) - 1))
    amplitude = float(np.sqrt(2 * rest.var() * near / total))
    return Swing(n / (k + 1), amplitude, float(near / total), chance)
