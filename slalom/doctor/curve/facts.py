"""The figures of a whole curve that its shape is told by; all relative to the run's own start, fall and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slalom.doctor.curve.statistics import Trend, block_means, noise, trend
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
    n = len(y)
    last = y[-max(4, round(LAST * n)) :]
    start, end = float(y[0]), float(np.median(last))
    fall = start - end
    levels, _ = block_means(y[1:], max(5, min(30, n // 5)))
    early, last_levels = levels[: max(1, round(EARLY * len(levels)))], levels[-max(1, round(LAST * len(levels))) :]
    late = tail(y)
    dose = np.arange(n, dtype=np.float64) if lr is None else np.concatenate([[0.0], np.cumsum(lr)[:-1]]) / lr.max()
    along = dose[-len(late) :]
    pace = trend(late, along)
    mean_slope = fall / dose[-1] if dose[-1] > 0 else 0.0
    by = -1 / mean_slope if mean_slope else 0.0
    ends = sorted((pace.low * by, pace.high * by))
    drift = trend(late)
    share = -len(late) / fall if fall else 0.0
    shares = sorted((drift.low * share, drift.high * share))
    # Noise of the first value: it cannot be told from one, and grows with the loss as a rule; the quieter of two ends is near.
    quiet = min(noise(y[: max(8, n // 10)]), noise(last))
    return Facts(
        n, start, end, fall, max(abs(start), abs(fall)), float(early.max()), float(np.mean(levels > start)),
        float(np.mean(last_levels > start)), float(levels.min()), noise(last), min(quiet, 0.5 * abs(start)),
        Trend(pace.slope * by, *ends), trend(y), Trend(drift.slope * share, *shares),
        1.0 if lr is None else float(lr[-1] / lr.max()), n / len(levels),
    )  # fmt: skip


def tail(y: Floats) -> Floats:
    """The last third."""
    return y[-max(6, round(LATE * len(y))) :]
