"""From a curve's facts to its shape: one rule each, in the order in which they are asked."""

from __future__ import annotations

import math
from dataclasses import dataclass

from slalom.doctor.curve import thresholds as bound
from slalom.doctor.curve.detectors import evident
from slalom.doctor.curve.facts import LATE, Facts
from slalom.doctor.curve.record import DIVERGES, FLAT, HEALTHY, OSCILLATES, RISES, SLOW, Figure
from slalom.doctor.curve.statistics import Swing

TOO_HIGH, TOO_HIGH_LATE, TOO_LOW = "lr_too_high", "lr_too_high_late", "lr_too_low"

REMEDIES = {
    TOO_HIGH: "the initial learning rate is too high: start again with a third to a tenth of it, or with a warm-up",
    TOO_HIGH_LATE: "the learning rate is too high by now: go on with a tenth of it, or train with a decay (cosine, steps)",
    TOO_LOW: "the learning rate is too low: raise it 3 to 10 times; slalom.range_test finds how far",
    OSCILLATES: "lower the learning rate 3 to 10 times, or the momentum; a larger batch if batches are tiny",
    DIVERGES: "go back to before it rose, or start again, with a tenth of the learning rate; or clip gradients; look at the data",
    HEALTHY: "nothing to mend",
}
OPEN = (
    "losses alone do not tell these apart: hand in probe=(model, data, optimizer), or go on for a few dozen steps at a tenth and "
    "at 3 times the rate"
)


@dataclass(frozen=True)
class Shape:
    """A shape with its cause, or None and the candidates."""

    shape: str
    cause: str | None
    evidence: tuple[Figure, ...]
    candidates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def remedy(self) -> str:
        return OPEN if self.cause is None else REMEDIES[self.cause]


def broken(f: Facts) -> Shape | None:
    """Above its start, or back up from what had been gained."""
    rise = max(bound.RISE * abs(f.start), bound.NOISES * f.start_noise)
    peak = Figure("peak", f.peak - f.start, rise, "early level above the first loss")
    above = Figure("above", f.above, bound.ABOVE, "share of the run above its start")
    if peak.crossed and above.crossed and not recovered(f):
        end = Figure("end", f.end - f.start, rise, "final level above the first loss")
        return Shape(RISES, TOO_HIGH, (peak, above, *((end,) if end.crossed else ())))
    end = Figure("end", f.end - f.start, rise, "final level above the first loss")
    if end.crossed and end.value > 0:
        return Shape(DIVERGES, DIVERGES, (end, above))
    error = bound.NOISES * 1.25 * f.noise / math.sqrt(max(4, 0.2 * f.n)) + bound.NOISES * f.noise / math.sqrt(f.block)
    most = max(bound.CLIMB * (f.start - f.lowest), 0.0) + error
    climb = Figure("climb", f.end - f.lowest, most, "final level above the lowest")
    if climb.crossed and climb.value > 0:
        return Shape(DIVERGES, DIVERGES, (climb,))
    return None


def recovered(f: Facts) -> bool:
    """Whether a rise has been made good: far below the start in the end, and never above it late."""
    share = bound.RECOVERED_COOLED if f.cooled <= bound.COOLED else bound.RECOVERED
    return f.above_late == 0 and f.fall >= share * abs(f.start)


def hump(f: Facts) -> tuple[str, ...]:
    """What is said of a rise that did no lasting harm."""
    if f.peak - f.start <= max(bound.RISE * abs(f.start), bound.NOISES * f.start_noise):
        return ()
    return (f"it rose at first, to {f.peak:.3g} from {f.start:.3g}, and recovered; a warm-up would spare it that",)


def oscillates(f: Facts, seen: Swing) -> Shape | None:
    """One period carries the end of the run."""
    figures = evident(seen, f.scale)
    return Shape(OSCILLATES, OSCILLATES, figures) if figures else None


def steady(f: Facts) -> Shape:
    """Slow throughout, flat after a fall, or healthy: by the losses alone."""
    quiet = bound.NOISES * max(f.noise, f.start_noise) / math.sqrt(max(4, 0.2 * f.n))
    moved = Figure("fall", f.fall, quiet + bound.NOISES * f.start_noise, "fall since the start, against its noise")
    if not moved.crossed:
        still = Figure("most", f.fall + quiet, bound.UNMOVED * abs(f.start), "fall since the start, at most")
        if not still.crossed:
            note = "it has hardly moved: look also whether the parameters are trained, and whether units are dead"
            return Shape(SLOW, TOO_LOW, (moved, still), notes=(note,))
        if f.whole.high >= 0:
            note = "the noise hides whether it has fallen; give more losses"
            return Shape(FLAT, None, (moved, still), (HEALTHY, TOO_LOW), (note,))
    pace = Figure("pace", f.pace.slope, bound.PACE, "late pace over the mean pace, for the same learning rate")
    fallen = Figure("fallen", f.fall / abs(f.start) if f.start else 1.0, bound.FALLEN, "fall as a share of the start")
    if pace.crossed and f.pace.low > 0 and not fallen.crossed:
        return Shape(SLOW, TOO_LOW, (pace, fallen))
    late = Figure("late_fall", f.late_share.slope, bound.FLAT, f"fall in the last {LATE:.0%} of the run, as a share of the whole")
    if late.crossed and f.late_share.low > 0:
        return Shape(HEALTHY, HEALTHY, (late, fallen), notes=("still falling at its end: more steps would lower it further",))
    if f.cooled <= bound.COOLED:
        cooled = Figure("cooled", f.cooled, bound.COOLED, "learning rate at the end, as a share of its highest")
        return Shape(FLAT, HEALTHY, (late, cooled), notes=("flat because it has converged, or because its rate has decayed",))
    return Shape(FLAT, None, (late,), (HEALTHY, TOO_HIGH_LATE, TOO_LOW))
