"""Every field of every schedule: what lies at a bound is taken, what lies beyond it is refused by name."""

from __future__ import annotations

import math
import re

import pytest

from slalom.core.errors import BadValueError
from slalom.schedules import (
    Annealing,
    Constant,
    Cosine,
    CosineRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    OneCycle,
    Plateau,
    PolynomialDecay,
    Schedule,
    StepDecay,
    Then,
    Triangular,
    Warmup,
    WarmupStableDecay,
)  # fmt: skip

SAMPLES: dict[type[Schedule], dict[str, object]] = {
    Constant: {}, StepDecay: {}, ExponentialDecay: {}, Annealing: {"total": 1e9}, InverseTimeDecay: {},
    PolynomialDecay: {"total": 10}, Cosine: {"total": 10}, CosineRestarts: {}, Triangular: {}, OneCycle: {"total": 10},
    WarmupStableDecay: {"total": 10, "decay": 1}, Warmup: {"steps": 2},
    Plateau: {"threshold_mode": "abs"}, Then: {"first": Cosine(3), "second": Cosine(3)},
}  # fmt: skip


def every(cls=Schedule):
    for sub in cls.__subclasses__():
        if sub.__module__.startswith("slalom.schedules"):
            yield sub
            yield from every(sub)


def test_every_schedule_with_numbers_is_here():
    assert {cls for cls in every() if cls.bounds} == set(SAMPLES)


FIELDS = [(cls, name) for cls in SAMPLES for name in cls.bounds]


@pytest.mark.parametrize(("cls", "name"), FIELDS, ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_bounds(cls, name):
    bound = cls.bounds[name]
    own = {k: v for k, v in SAMPLES[cls].items() if k != name}
    inside = [bound.high] if math.isfinite(bound.high) else [max(bound.low, 1.0), 3.0]
    if not (cls is WarmupStableDecay and name == "total"):  # which has to hold the warm-up and the fall
        inside.append(bound.low)
    for value in inside:
        cls(**{**own, name: value})
    low, high = bound.low, bound.high
    outside = [math.nextafter(low, -math.inf), -1, -math.inf, math.nan, math.inf]
    outside += [math.nextafter(high, math.inf)] * math.isfinite(high)
    outside += ["fast", True, {}, *([None] if name not in cls.optional else [])]
    for value in outside:
        with pytest.raises(BadValueError, match=f"^{cls.__name__}: {name} must be {re.escape(bound.allowed)}, got "):
            cls(**{**own, name: value})
        with pytest.raises(BadValueError, match=rf"{name} must be {re.escape(bound.allowed)}, got .* \(lane 1\)"):
            cls(**{**own, name: [inside[0], value]})
    with pytest.raises(BadValueError, match=f"{name} must be one number or one a lane, got an empty list"):
        cls(**{**own, name: []})


@pytest.mark.parametrize(("cls", "name"), [(c, n) for c in SAMPLES for n in c.words], ids=str)
def test_words(cls, name):
    for word in cls.words[name]:
        cls(**{**SAMPLES[cls], name: word})
    for wrong in ("other", None, 0, 1.0, ["cosine"]):
        with pytest.raises(BadValueError, match=f"^{cls.__name__}: {name} must be one of .*, got "):
            cls(**{**SAMPLES[cls], name: wrong})


@pytest.mark.parametrize("cls", [Triangular, OneCycle])
def test_momenta(cls):
    for pair in ((0.0, 0.0), (0.0, math.nextafter(1.0, 0.0)), [0.5, 0.6], None):
        cls(**SAMPLES[cls], momenta=pair)
    for wrong in ((0.9, 0.8), (0.5,), (0.5, 1.0), (-5e-324, 0.5), (math.nan, 0.5), "ab", 0.9, (0.1, 0.2, 0.3), (True, 0.5)):
        with pytest.raises(BadValueError, match=r"momenta must be None or two numbers in \[0, 1\), lowest first, got"):
            cls(**SAMPLES[cls], momenta=wrong)


def test_steps():
    for step in (-1, -1e-9, math.nan, math.inf, [0, -1]):
        with pytest.raises(BadValueError, match="Cosine: steps are finite numbers, counted from 0, got"):
            Cosine(5)(step)
    with pytest.raises(BadValueError, match="step"):
        Cosine(5)("3 epochs")
    assert Cosine(5)([]).shape == (0,)
