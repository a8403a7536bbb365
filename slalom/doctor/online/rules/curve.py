"""What the losses say, by the detectors of `slalom.doctor.curve`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slalom.doctor.curve import thresholds as curve
from slalom.doctor.curve.detectors import Divergence, Oscillation, not_finite
from slalom.doctor.curve.record import Figure, Verdict
from slalom.doctor.curve.statistics import noise
from slalom.doctor.finding import Finding, finding
from slalom.doctor.online.record import Watched
from slalom.doctor.online.rules import thresholds as bound

FAR = 2.0  # times its threshold: a climb that is told while the run goes on


class Curves:
    """Detectors that are fed with the losses since they were last asked."""

    def __init__(self) -> None:
        self.divergence, self.oscillation = Divergence(), Oscillation()
        self._rise: Verdict | None = None
        self._swing: Verdict | None = None

    def feed(self, losses: list[float]) -> None:
        for value in losses:
            seen = self.divergence.update(value)
            if seen is not None and self._rise is None:
                if _clear(seen):
                    self._rise = seen
                else:
                    self.divergence = Divergence()
            self._swing = self.oscillation.update(value) or self._swing

    def diverges(self, record: Watched) -> Finding | None:
        """Not finite, above its start, or back up."""
        if record.broke is not None:
            return finding("divergence", [not_finite(record.broke)], 0.85, record.broke)
        if self._rise is None:
            return None
        label = "lr_too_high" if self._rise.evidence[0].name == "rise" else "divergence"
        return finding(label, self._rise.evidence, 0.7, self._rise.step)

    def swings(self, record: Watched) -> Finding | None:
        """Around a level, with a period."""
        return None if self._swing is None else finding("oscillation", self._swing.evidence, 0.65, self._swing.step)


def _clear(seen: Verdict) -> bool:
    """Whether what was seen is far beyond its threshold: over a long run, noise alone comes near it now and then."""
    figure = seen.evidence[0]
    return figure.value >= FAR * figure.threshold or figure.name == "rise"


def overfitting(record: Watched) -> Finding | None:
    """As `overfits` has it."""
    told = [epoch for epoch in record.epochs if np.isfinite(epoch[2])]
    rises = overfits(told)
    return None if rises is None else finding("overfitting", [rises], 0.75, told[-1][0])


def overfits(told: Sequence[tuple[int, float, float]]) -> Figure | None:
    """The validation loss is up from its lowest, beyond its noise, while the training loss goes on falling.

    `told`: (step, mean training loss, validation loss) of each epoch.
    """
    if len(told) < bound.EPOCHS:
        return None
    val, train = np.array([t[2] for t in told]), np.array([t[1] for t in told])
    smooth = np.convolve(np.pad(val, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    k = int(np.argmin(smooth))
    if k >= len(val) - 2:
        return None
    climb, fall = float(np.median(val[-2:]) - smooth[k]), float(max(val[0], smooth[0]) - smooth[k])
    most = max(curve.OVERFIT * max(fall, 0.05 * abs(val[0])), 1.5 * curve.NOISES * noise(val))
    figure = Figure("climb", climb, most, f"rise of the validation loss since its lowest, at epoch {k + 1}")
    falls = np.isnan(train).any() or train[-1] < train[k]
    return figure if figure.crossed and climb > 0 and falls else None
