"""What is wrong with each lane of a race, by what the race has recorded anyway."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from slalom.doctor.curve import Figure, Reading
from slalom.doctor.curve.detectors import not_finite
from slalom.doctor.curve.read import read_curves
from slalom.doctor.curve.values import LEAST, Floats
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
    train, per_epoch = np.asarray(curves.train_loss, dtype=np.float64), int(curves.steps_per_epoch)
    finished = [k for k, lane in enumerate(result.lanes) if lane.status == "finished"]
    readings = _readings(train, finished)
    made: dict[int, list[Finding]] = {}
    for k, lane in enumerate(result.lanes):
        if lane.status == "retired":
            made[lane.lane] = [_fallen(lane)]
        elif lane.status == "finished":
            own = train[k][np.isfinite(train[k])]
            found = [*_shaped(readings.get(k), len(own)), *_overfitted(own, curves.val_loss[k], per_epoch)]
            if found:
                made[lane.lane] = found
    return made


def _readings(train: Floats, lanes: Sequence[int]) -> dict[int, Reading]:
    """Readings of lanes that have enough losses, those of one length together."""
    good = np.isfinite(train)
    lengths = good.sum(axis=1)
    made: dict[int, Reading] = {}
    for n in sorted({int(lengths[k]) for k in lanes}):
        group = [k for k in lanes if lengths[k] == n]
        if n >= LEAST:
            stack = train[group][good[group]].reshape(len(group), n)
            made.update(zip(group, read_curves(stack), strict=True))
    return made


def _fallen(lane: Any) -> Finding:
    step = max(0, (lane.retired_step or 1) - 1)
    return finding("divergence", [not_finite(step)], DIVERGED, step, symptom=lane.reason or "the lane is not finite")


def _shaped(reading: Reading | None, count: int) -> list[Finding]:
    if reading is None or reading.cause not in LABELS:
        return []
    return [finding(str(reading.cause), reading.evidence, READ, count - 1, symptom=reading.shape, remedy=reading.remedy)]


def _overfitted(losses: Floats, val: Any, per_epoch: int) -> list[Finding]:
    whole, rest = divmod(len(losses), per_epoch)
    means = losses[: whole * per_epoch].reshape(whole, per_epoch).mean(axis=1).tolist()
    means += [float(losses[-rest:].mean())] if rest else []
    told = [(per_epoch * (e + 1), m, float(v)) for e, (m, v) in enumerate(zip(means, val, strict=False)) if math.isfinite(v)]
    rises: Figure | None = overfits(told)
    return [] if rises is None else [finding("overfitting", [rises], OVERFITTED, told[-1][0])]
