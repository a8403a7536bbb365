"""From losses at a few rates to one rate and an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.race.range.heats import Floats

KERNEL = 0.4  # decades: half width of the triangular average over log lr
FINE = 16  # places a decade at which the averaged profile is looked at
BEYOND = 0.5  # decades above the highest rate at which training is taken to fail
WITHIN, MARGIN = 0.02, 0.75  # interval: rates within 2 % of the drop, and three quarters of a decade around the pick


@dataclass(frozen=True)
class Profile:
    """Loss over log10 lr: `x` ascending, `loss` (infinite where it diverged), `initial`: before training.

    The least loss of a short run sits close to where training diverges, and a rate too high costs more than one too low. So
    the profile, straight between rates and no higher than the loss before training, is averaged over a part of a decade
    on both sides before its least is taken: the pick moves away from the cliff.
    """

    x: Floats
    loss: Floats
    initial: float

    @property
    def ceiling(self) -> float:
        """Where losses are cut: the loss before training, or the largest below the least's rate where that is above it."""
        left = self.loss[: int(np.argmin(self.loss)) + 1]
        return float(max([self.initial, *left[np.isfinite(left)]]))

    def falls(self, noise: float = 0.0) -> bool:
        """Whether a rate's loss is below the loss before training plus `noise`, or below the least rate's on the same batches."""
        start = max(self.initial + noise, self.loss[0] if np.isfinite(self.loss[0]) else -np.inf)
        return bool((self.loss < start).any())

    def place(self, alike: float = 0.0) -> float:
        """log10 of the picked rate: where the averaged loss is least, or the lowest rate within `alike` of the drop of that."""
        if not np.isfinite(self.loss).any():
            return float(self.x[0])
        top = self.ceiling
        xs = np.r_[self.x, self.x[-1] + BEYOND]
        ys = np.r_[np.minimum(self.loss, top), top]
        n = max(1, round((self.x[-1] - self.x[0]) * FINE))
        step = (self.x[-1] - self.x[0]) / n or 1.0 / FINE
        reach = max(1, round(KERNEL / step))
        weights = 1.0 + reach - np.abs(np.arange(-reach, reach + 1))
        places = self.x[0] + step * np.arange(n + 1)
        around = places[:, None] + step * np.arange(-reach, reach + 1)
        averaged = (np.interp(around, xs, ys) * weights).sum(1) / weights.sum()
        return float(places[int(np.argmax(averaged <= averaged.min() + alike * (top - averaged.min())))])


def interval(pick: float, levels: Profile) -> tuple[float, float]:
    """log10 bounds: all rates within WITHIN of the drop of the best, and MARGIN on both sides of the pick.

    It held the best rate of whole runs in 95 % of the design problems' cases (262: 131 pairs of problem and optimizer, each by 2
    seeds that are not the truth's).
    """
    drop = levels.ceiling - levels.loss.min()
    near = levels.x[levels.loss <= levels.loss.min() + WITHIN * drop] if np.isfinite(drop) else np.array([])
    return min([pick - MARGIN, *near.tolist()]), max([pick + MARGIN, *near.tolist()])
