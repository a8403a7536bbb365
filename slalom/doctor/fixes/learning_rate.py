"""The learning rate: lower, higher, or decayed."""

from __future__ import annotations

from slalom.doctor.fixes.fix import Change, Fix, register
from slalom.doctor.fixes.schedule import COSINE, cosine
from slalom.doctor.fixes.steering import rate, scaled_rate, steered
from slalom.doctor.setup import Setup


def times(factor: float) -> Fix:
    """The learning rate times `factor`."""
    said = f"times {factor:g}" if factor > 1 else f"divided by {round(1 / factor, 3):g}"

    def make(setup: Setup) -> Change | None:
        now = rate(setup)
        if not now > 0:
            return None
        words = f"learning rate {said}: from {now:.3g} to {now * factor:.3g}"
        return Change(steered(setup, scaled_rate(factor)), words, f"lr={now * factor:.3g}  # was {now:.3g}")

    return Fix(f"lr {said}", f"the learning rate {said}", make)


def times_and_cosine(factor: float) -> Fix:
    """The learning rate times `factor`, and decayed to 0 along a cosine."""
    first = times(factor)

    def make(setup: Setup) -> Change | None:
        scaled = first.apply(setup)
        decayed = None if scaled is None else cosine(scaled.setup)
        if scaled is None or decayed is None:
            return None
        return Change(decayed.setup, f"{scaled.words}; {decayed.words}", f"{scaled.code}\n{decayed.code}")

    return Fix(f"{first.name}, cosine", f"{first.words}, decayed along a cosine", make)


LOWER = tuple(times(f) for f in (0.1, 0.01, 1 / 3, 1 / 30, 0.001, 0.0001))
HIGHER = tuple(times(f) for f in (10.0, 100.0, 3.0, 1000.0, 30.0, 10_000.0, 100_000.0))

register("lr_too_high divergence", *LOWER)
register("lr_too_low", *HIGHER)
register("oscillation", *(times(f) for f in (0.1, 0.01)))
register("lr_too_high_late", COSINE, *(times_and_cosine(f) for f in (1 / 3, 0.1)), *(times(f) for f in (0.1, 1 / 30)))
