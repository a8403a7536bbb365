"""What is wrong with each lane of a race, by what the race has recorded anyway."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slalom.core.errors import BadDataError
from slalom.doctor.curve import Figure, read_curve
from slalom.doctor.curve.detectors import not_finite
from slalom.doctor.finding import Finding, finding
from slalom.doctor.labels import LABELS
from slalom.doctor.online.rules.curve import overfits

READ, DIVERGED, OVERFITTED = 0.6, 0.85, 0.7  # confidence in what a curve alone says


def lane_findings(result: Any) -> dict[int, list[Finding]]:
    """Lane number -> findings, for the lanes that have any.

    Of a retired lane: at which step it fell. Of a finished one: what `read_curve` says of its training loss, where that is not
    open, and whether its validation loss is up from its lowest while its training loss falls. A race's outer learning rates are
    there to be too low and too high, so most races have such lanes.
    """
    curves = result.curves()
    made: dict[int, list[Finding]] = {}
    for k, lane in enumerate(result.lanes):
        found = (
            [_fallen(lane)] if lane.status == "retired"
            else _read(curves.train_loss[k], curves.val_loss[k], int(curves.steps_per_epoch)) if lane.status == "finished"
            else []
        )  # fmt: skip
        if found:
            made[lane.lane] = found
    return made


def _fallen(lane: Any) -> Finding:
    step = max(0, (lane.retired_step or 1) - 1)
    return finding("divergence", [not_finite(step)], DIVERGED, step, symptom=lane.reason or "the lane is not finite")


def _read(train: Any, val: Any, per_epoch: int) -> list[Finding]:
    losses = np.asarray(train, dtype=np.float64)
    losses = losses[np.isfinite(losses)]
    found = []
    try:
        reading = read_curve(losses)
    except BadDataError:  # too few steps to be read
        reading = None
    if reading is not None and reading.cause in LABELS:
        last = len(losses) - 1
        found.append(finding(str(reading.cause), reading.evidence, READ, last, symptom=reading.shape, remedy=reading.remedy))
    means = [float(part.mean()) for part in np.split(losses, range(per_epoch, len(losses), per_epoch))] if len(losses) else []
    told = [(per_epoch * (e + 1), m, float(v)) for e, (m, v) in enumerate(zip(means, val, strict=False)) if math.isfinite(v)]
    rises: Figure | None = overfits(told)
    if rises is not None:
        found.append(finding("overfitting", [rises], OVERFITTED, told[-1][0]))
    return found
