"""Detectors that watch a run while it goes on: convergence, oscillation, divergence."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from typing import Any, ClassVar

import numpy as np

from slalom.core.errors import BadValueError
from slalom.doctor.curve import thresholds as bound
from slalom.doctor.curve.record import DIVERGES, OSCILLATES, Figure, Verdict
from slalom.doctor.curve.statistics import Swing, noise, swing, trend
from slalom.doctor.curve.values import Floats, numbers

CONVERGED = "convergence"


class Detector(ABC):
    """Tells one thing about a run: `update(loss)` at every step (or epoch) gives a `Verdict` once it can tell, None until then.

    `scan(losses)` reads a whole curve the same way. `verdict` keeps the first one; after it, updates cost nothing and give None.
    """

    least: ClassVar[int] = 12  # values a window must hold to be judged

    def __init__(self, window: int) -> None:
        if isinstance(window, bool) or not isinstance(window, int) or window < self.least:
            raise BadValueError(f"{type(self).__name__}: window must be a whole number of values >= {self.least}, got {window!r}")
        self.window = window
        self.verdict: Verdict | None = None
        self.start = math.nan  # the first loss
        self.n = 0
        self._held: deque[float] = deque(maxlen=window)
        self._stride = max(1, window // 4)

    def update(self, loss: Any) -> Verdict | None:
        """Takes the next loss, a number or a tensor of one; NaN and infinity are losses too."""
        value = float(loss)
        if self.verdict is not None:
            return None
        if self.n == 0:
            self.start = value
        self.n += 1
        self._held.append(value)
        self.verdict = self._at_once(value)
        if self.verdict is None and self.n % self._stride == 0 and len(self._held) == self.window:
            held = np.fromiter(self._held, np.float64, self.window)
            self.verdict = self._judge(held) if np.isfinite(held).all() and math.isfinite(self.start) else None
        return self.verdict

    def scan(self, losses: Any) -> Verdict | None:
        """The verdict on a whole curve, as if it had come value by value; this detector's own state is left alone."""
        fresh = self._fresh()
        return next((seen for value in numbers("losses", losses) if (seen := fresh.update(value)) is not None), None)

    @abstractmethod
    def _fresh(self) -> Detector: ...

    @abstractmethod
    def _judge(self, held: Floats) -> Verdict | None: ...

    def _at_once(self, value: float) -> Verdict | None:
        return None

    def _size(self, level: float) -> float:
        return max(abs(self.start), abs(self.start - level))


class Convergence(Detector):
    """Tells when a loss has stopped falling, or has reached a target.

    Converged: in the last `window` values the fall, by the upper end of its 95 % interval (Theil-Sen on means of blocks), is at
    most `tolerance` of the whole fall since the start, at two looks a quarter of a window apart. A noisy loss needs a longer
    window. The window is the time that counts: a loss that falls in a straight line for longer than window / tolerance has
    converged by this measure, so take a tenth of the run or more. `target`: a loss that the mean of the last quarter of the
    window must reach. What never fell has not converged; what swings around a steady level has (`Oscillation` tells that).

    Where libraries stop after a number of values that did not improve by a fixed amount (Keras, Lightning: `patience`,
    `min_delta`), neither noise nor the loss's unit matters here.

    >>> t = np.arange(600)
    >>> loss = 0.2 + np.exp(-t / 40) + np.random.default_rng(0).normal(0, 0.02, 600)
    >>> seen = Convergence(window=100).scan(loss)
    >>> seen.kind, 150 < seen.step < 400
    ('convergence', True)
    >>> Convergence(window=100).scan(5 - 0.01 * t) is None
    True
    """

    def __init__(self, window: int = 100, tolerance: float = 0.1, target: float | None = None) -> None:
        super().__init__(window)
        if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 < tolerance < 1:
            raise BadValueError(f"Convergence: tolerance must be a share of the fall in (0, 1), got {tolerance!r}")
        if target is not None and (isinstance(target, bool) or not isinstance(target, int | float) or not math.isfinite(target)):
            raise BadValueError(f"Convergence: target must be a finite loss or None, got {target!r}")
        self.tolerance, self.target = float(tolerance), target
        self._before = False

    def _fresh(self) -> Detector:
        return Convergence(self.window, self.tolerance, self.target)

    def _judge(self, held: Floats) -> Verdict | None:
        recent = float(held[-self._stride :].mean())
        if self.target is not None and recent <= self.target:
            words = f"mean of the last {self._stride} losses, at or below the target"
            return Verdict(CONVERGED, self.n - 1, (Figure("target", recent, self.target, words),))
        fall = self.start - float(np.median(held))
        if fall <= bound.NOISES * noise(held) / math.sqrt(self.window):
            return None
        most = -trend(held).low * self.window / fall
        flat, self._before = self._before and most <= self.tolerance, most <= self.tolerance
        if not flat:
            return None
        words = f"fall within {self.window} losses, at most, as a share of the whole fall; below it is converged"
        return Verdict(CONVERGED, self.n - 1, (Figure("fall_in_window", most, self.tolerance, words),))


class Oscillation(Detector):
    """Tells when a loss swings around a level: one period carries most of what is left around a straight line.

    In the last `window` values (three periods or more): at least half of the variance in one period, a chance below 1e-4 in white
    noise (Fisher's g test), and an amplitude of at least `amplitude` of the run's size (the larger of its start and its fall).
    Losses of batches that come in the same order each epoch repeat with the epoch; shuffle, or give the means of epochs.

    >>> t = np.arange(200)
    >>> Oscillation().scan(1 + np.exp(-t / 20) + 0.3 * np.cos(t)).kind
    'oscillation'
    >>> Oscillation().scan(1 + np.exp(-t / 20) + np.random.default_rng(0).normal(0, 0.3, 200)) is None
    True
    """

    def __init__(self, window: int = 64, amplitude: float = bound.AMPLITUDE) -> None:
        super().__init__(window)
        if isinstance(amplitude, bool) or not isinstance(amplitude, int | float) or not 0 < amplitude < math.inf:
            raise BadValueError(f"Oscillation: amplitude must be a share of the run's size > 0, got {amplitude!r}")
        self.amplitude = float(amplitude)

    def _fresh(self) -> Detector:
        return Oscillation(self.window, self.amplitude)

    def _judge(self, held: Floats) -> Verdict | None:
        figures = swinging(held, self._size(float(np.median(held))), self.amplitude)
        return Verdict(OSCILLATES, self.n - 1, figures) if figures else None


class Divergence(Detector):
    """Tells when a loss is lost: not finite, above its start and staying there, or back up from what it had gained.

    At once for NaN or infinity. Else by the median of the last `window` values: above the first loss by half of it and
    by three times the first values' noise; or above the lowest median so far by half of what had been gained, beyond what the
    noise of both allows and by a twentieth of the run's size at least.

    >>> Divergence().scan([1.0, 0.8, float("nan")]).step
    2
    >>> Divergence().scan(0.5 + 0.001 * 1.1 ** np.arange(100)).kind
    'divergence'
    """

    least = 5

    def __init__(self, window: int = 20) -> None:
        super().__init__(window)
        self._lowest = math.inf
        self._first_noise: float | None = None

    def _fresh(self) -> Detector:
        return Divergence(self.window)

    def _at_once(self, value: float) -> Verdict | None:
        return None if math.isfinite(value) else Verdict(DIVERGES, self.n - 1, (not_finite(self.n - 1),))

    def _judge(self, held: Floats) -> Verdict | None:
        level = float(np.median(held))
        if self._first_noise is None:
            self._first_noise = min(noise(held), 0.5 * abs(self.start))
        rise = max(bound.RISE * abs(self.start), bound.NOISES * self._first_noise)
        if level - self.start > rise:
            words = "level above the first loss"
            return Verdict(DIVERGES, self.n - 1, (Figure("rise", level - self.start, rise, words),))
        if level < self._lowest:
            self._lowest = level
            return None
        # Twice: the lowest of many levels errs downwards as this one may upwards. 1.25: a median's error over a mean's.
        error = 2 * bound.NOISES * 1.25 * noise(held) / math.sqrt(self.window)
        most = max(bound.CLIMB * (self.start - self._lowest) + error, bound.AMPLITUDE * self._size(self._lowest))
        climb = level - self._lowest
        if climb > most:
            words = "level above its lowest so far"
            return Verdict(DIVERGES, self.n - 1, (Figure("climb", climb, most, words),))
        return None


def not_finite(step: int) -> Figure:
    """The evidence of a loss that is no number."""
    return Figure("first_not_finite", float(step), 0.0, "the first loss that is not finite comes at step (from 0)")


def swinging(values: Floats, size: float, amplitude: float = bound.AMPLITUDE) -> tuple[Figure, ...]:
    """The evidence of an oscillation, or nothing."""
    return evident(swing(values), size, amplitude)


def evident(seen: Swing, size: float, amplitude: float = bound.AMPLITUDE) -> tuple[Figure, ...]:
    """The same of a swing that was found."""
    if seen.share < bound.SWING or seen.chance > bound.CHANCE or seen.amplitude < amplitude * size:
        return ()
    return (
        Figure("amplitude", seen.amplitude, amplitude * size, f"amplitude of an oscillation with a period of {seen.period:.3g}"),
        Figure("share", seen.share, bound.SWING, "share of the variance around the level that it explains"),
    )
