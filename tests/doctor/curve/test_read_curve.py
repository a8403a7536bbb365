"""Shapes in closed form, each with its fault planted; what cannot be read; what the record says."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

import slalom
from slalom.core.errors import BadDataError, BadValueError
from slalom.doctor import SHAPES, read_curve

T = np.arange(300)


def wobble(sd, seed=0):
    return np.random.default_rng(seed).normal(0, sd, 300)


FALL = 0.3 + 2 * np.exp(-T / 15)
RISE = np.where(T == 0, 2.3, 2.2 + 20 * np.exp(-T / 60))
CASES = {  # curve -> shape, cause
    "still falling": (2.3 / (1 + T / 100) + wobble(0.01), "healthy", "healthy"),
    "flat": (FALL + wobble(0.05), "falls fast, then flat", None),
    "slow": (2.3 - T / 600 + wobble(0.05), "slow throughout", "lr_too_low"),
    "unmoved": (2.3 + wobble(0.02), "slow throughout", "lr_too_low"),
    "rises": (RISE + wobble(0.05), "rises at the start", "lr_too_high"),
    "stays up": (np.where(T == 0, 2.3, 40.0) + wobble(5), "rises at the start", "lr_too_high"),
    "swings": (FALL + 0.3 * np.cos(2 * np.pi * T / 7) + wobble(0.05), "oscillation", "oscillation"),
    "flips": (FALL + 0.3 * (-1.0) ** T, "oscillation", "oscillation"),
    "blows up": (1 + 0.01 * np.exp(T / 40), "divergence", "divergence"),
    "climbs back": (np.where(T < 150, FALL, FALL[150] + (T - 150) / 80) + wobble(0.05), "divergence", "divergence"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_shapes_at_any_scale(name, scale):
    curve, shape, cause = CASES[name]
    seen = read_curve(curve * scale)
    assert (seen.shape, seen.cause) == (shape, cause)
    assert seen.open == (cause is None)
    assert seen.healthy == (cause == "healthy")
    assert seen.shape in SHAPES


@pytest.mark.parametrize("name", CASES)
def test_shapes_of_fewer_values(name):
    curve, shape, _ = CASES[name]
    few = curve[::7] if name != "stays up" else np.delete(curve, slice(1, 250))
    if name == "swings":
        pytest.skip("a period of 7 shows in no value of 7")
    if name == "flips":  # 7 is odd: it still flips
        assert read_curve(few).shape == "oscillation"
    assert read_curve(few).shape == shape


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, 4, 299])
def test_what_is_not_finite_is_divergence(bad, at):
    curve = CASES["flat"][0].copy()
    curve[at] = bad
    seen = read_curve(curve)
    assert seen.cause == "divergence"
    assert seen.evidence[0].value == at
    assert read_curve([1.0, bad]).shape == "divergence"  # short, but it says enough


def test_evidence_has_crossed_its_thresholds():
    for name in ("rises", "swings", "blows up", "climbs back"):
        assert all(figure.crossed for figure in read_curve(CASES[name][0]).evidence), name


def test_healthy_curves_are_rarely_called_faulty():
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(200):
        n = int(rng.choice([15, 40, 300]))
        t, start = np.arange(n), rng.uniform(0.5, 3)
        floor = start * rng.uniform(0, 0.6)
        curve = floor + (start - floor) * np.exp(-t / (n * rng.uniform(0.03, 0.2)))
        curve = np.abs(curve * (1 + rng.uniform(0, 0.25) * rng.standard_normal(n)))
        wrong += read_curve(curve).cause not in (None, "healthy")
    assert wrong <= 2


def test_a_hump_that_is_made_good_is_healthy_and_noted():
    curve = CASES["still falling"][0].copy()
    curve[2:12] += 8
    seen = read_curve(curve)
    assert seen.cause in ("healthy", None)
    assert any("rose at first" in note for note in seen.notes)


@pytest.mark.parametrize(("floor", "decayed", "cause"), [(0.6, True, "healthy"), (0.6, False, "lr_too_high"),
                                                          (0.8, True, "lr_too_high")])  # fmt: skip
def test_a_rise_is_made_good_by_less_where_the_rate_has_decayed(floor, decayed, cause):
    # from 1 up to 3 and, as the rate falls, down to `floor`: over half of the run is spent above the start
    curve = np.where(T == 0, 1.0, floor + (3 - floor) * np.clip(1 - T / 220, 0, 1)) + wobble(0.01)
    seen = read_curve(curve, np.geomspace(1, 0.01, 300) if decayed else 1.0)
    assert seen.cause == cause
    assert any("rose at first" in note for note in seen.notes) == (cause == "healthy")


def test_the_rates_tell_decay_from_slowness():
    lr = 0.1 * (1 + np.cos(np.pi * T / 300)) / 2
    straight = 2.3 - 0.4 * np.cumsum(lr) / lr.sum() + wobble(0.004)  # a straight line in what has been stepped
    assert read_curve(straight, lr).shape == "slow throughout"
    assert read_curve(straight).shape != "slow throughout"
    flat = read_curve(FALL + wobble(0.05), np.where(T < 200, 0.1, 0.001))
    assert flat.cause == "healthy"
    assert any(f.name == "cooled" and f.value == pytest.approx(0.01) for f in flat.evidence)


def test_validation_that_rises_is_noted():
    val = np.concatenate([np.linspace(2, 0.8, 12), np.linspace(0.85, 1.6, 18)])
    seen = read_curve(CASES["still falling"][0], val=val)
    assert seen.cause == "healthy"
    assert "overfitting" in seen.notes[-1]
    assert "overfitting" not in str(read_curve(CASES["still falling"][0], val=np.linspace(2, 0.8, 30)))
    assert "not finite from value 3" in read_curve(FALL, val=[1, 1, 1, math.nan] * 3).notes[-1]


@pytest.mark.parametrize("kind", [list, tuple, torch.tensor, pd.Series, lambda v: [torch.tensor(x) for x in v], np.float32])
def test_any_row_of_numbers(kind):
    curve = CASES["slow"][0]
    assert read_curve(kind(curve)).shape == "slow throughout"
    assert read_curve(curve, kind(np.full(300, 0.1))).shape == "slow throughout"


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (([],), BadDataError, "loss is empty; give the losses so far, at least 10"),
        (([1.0] * 9,), BadDataError, "loss has 9 values; a curve is read from 10 on"),
        ((["a"] * 10,), BadValueError, "loss must hold real numbers alone; value 0 is str 'a'"),
        (([1.0, None] * 10,), BadValueError, "value 1 is NoneType None"),
        (([True] * 10,), BadValueError, "value 0 is bool True"),
        (("losses",), BadValueError, "loss must be a sequence of numbers"),
        ((3.0,), BadValueError, "loss must be a sequence of numbers, one a step or an epoch; got float 3.0"),
        ((np.ones((20, 2)),), BadValueError, r"got shape \[20, 2\]; read runs one by one"),
        ((np.ones(20, complex),), BadValueError, "real numbers, got an array of complex128"),
        ((FALL, [0.1] * 5), BadValueError, "lr has 5 values for 300 losses"),
        ((FALL, -0.1), BadValueError, "lr must be finite, >= 0"),
        ((FALL, 0.0), BadValueError, "somewhere above 0"),
        ((FALL, "fast"), BadValueError, "lr must be a sequence of numbers"),
        ((FALL, None, [1.0] * 3), BadDataError, "val has 3 values"),
    ],
)
def test_what_cannot_be_read(arguments, error, said):
    with pytest.raises(error, match=said):
        read_curve(*arguments)


def test_the_record_prints_and_is_json():
    seen = slalom.doctor.read_curve([2.3, 2.1, math.nan])
    assert str(seen).splitlines()[0] == "divergence (divergence), from 3 losses"
    assert "remedy: go back" in str(seen)
    for curve, _, _ in CASES.values():
        made = read_curve(curve).to_dict()
        assert json.loads(json.dumps(made, allow_nan=False)) == made
        assert made["evidence"][0].keys() == {"name", "value", "threshold", "words"}
    assert "open: healthy or lr_too_high_late or lr_too_low" in str(read_curve(CASES["flat"][0]))
