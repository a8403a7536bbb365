"""The figures of a whole curve that its shape is told by; all relative to the run's own start, fall and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.doctor.curve.statistics import Trend, block_means, noises, trends
from slalom.doctor.curve.values import Floats

EARLY, LATE = 0.1, 1 / 3  # shares of the run: its beginning, and the end that trends and swings are measured on
LAST = 0.2  # the end that the final level is taken over


@dataclass(frozen=True)
class Facts:
    """`start`: the first value, before any update (of epochs: the first one's). `end`: median of the last fifth. `fall`: from
    start to end. `scale`: the run's own size, the larger of |start| and the fall. `peak`: the highest level early on;
    `lowest`: of all levels, which are means of blocks of `block` values. `above`, `above_late`: shares of the run, and of its
    last fifth, above the start. `noise`: sd from value to value at the end; `start_noise`: of the first value. `whole`: trend
    of the run. `pace`: the last third's slope over the mean slope since the start, both per unit of learning rate.
    `late_share`: fall within the last third, as a share of the fall. `cooled`: the last learning rate as a share of the highest.
    """

    n: int
    start: float
    end: float
    fall: float
    scale: float
    peak: float
    above: float
    above_late: float
    lowest: float
    noise: float
    start_noise: float
    pace: Trend
    whole: Trend
    late_share: Trend
    cooled: float
    block: float


def facts(y: Floats, lr: Floats | None) -> Facts:
    """The facts of a finite curve `y [n]`; `lr [n]`: its learning rates, or None where not known (taken as constant)."""
    return facts_of(y[None], lr)[0]


def facts_of(curves: Floats, lr: Floats | None = None) -> list[Facts]:
    """`facts` of each row of `[curves, n]`, all finite; they share their learning rates."""
    n = curves.shape[1]
    last = curves[:, -max(4, round(LAST * n)) :]
    starts, ends = curves[:, 0], np.median(last, axis=1)
    levels, _ = block_means(curves[:, 1:], max(5, min(30, n // 5)))
    count = levels.shape[1]
    early, last_levels = levels[:, : max(1, round(EARLY * count))], levels[:, -max(1, round(LAST * count)) :]
    late = tail(curves)
    dose = np.arange(n, dtype=np.float64) if lr is None else np.concatenate([[0.0], np.cumsum(lr)[:-1]]) / lr.max()
    paces, drifts, wholes = trends(late, dose[-late.shape[1] :]), trends(late), trends(curves)
    noisy = noises(last)
    # Noise of the first value: it cannot be told from one, and grows with the loss as a rule; the quieter of two ends is near.
    quiet = np.minimum(noises(curves[:, : max(8, n // 10)]), noisy)
    peaks, lowest = early.max(axis=1), levels.min(axis=1)
    above, above_late = (levels > starts[:, None]).mean(axis=1), (last_levels > starts[:, None]).mean(axis=1)
    cooled = 1.0 if lr is None else float(lr[-1] / lr.max())
    made = []
    for k, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        fall = start - end
        mean_slope = fall / float(dose[-1]) if dose[-1] > 0 else 0.0
        by, share = -1 / mean_slope if mean_slope else 0.0, -late.shape[1] / fall if fall else 0.0
        made.append(Facts(
            n, start, end, fall, max(abs(start), abs(fall)), float(peaks[k]), float(above[k]), float(above_late[k]),
            float(lowest[k]), float(noisy[k]), min(float(quiet[k]), 0.5 * abs(start)), _times(paces[k], by), wholes[k],
            _times(drifts[k], share), cooled, n / count,
        ))  # fmt: skip
    return made


def _times(found: Trend, by: float) -> Trend:
    low, high = sorted((found.low * by, found.high * by))
    return Trend(found.slope * by, low, high)


def tail(y: Floats) -> Floats:
    """The last third of the last axis."""
    return y[..., -max(6, round(LATE * y.shape[-1])) :]
