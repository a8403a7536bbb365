"""The detectors on curves in closed form: when they speak, when they are silent, and that values or arrays come to the same."""

import math

import numpy as np
import pytest
import torch

from slalom.core.errors import BadValueError
from slalom.doctor import Convergence, Divergence, Oscillation

T = np.arange(600)


def wobble(sd, seed=0, n=600):
    return np.random.default_rng(seed).normal(0, sd, n)


FALL = 0.3 + 2 * np.exp(-T / 40)
CURVES = {
    "decay": FALL + wobble(0.03),
    "line": 3 - T / 300 + wobble(0.03),
    "plateau": 1 + wobble(0.05),
    "cosine": FALL + 0.4 * np.cos(2 * np.pi * T / 9) + wobble(0.03),
    "flips": FALL + 0.4 * (-1.0) ** T,
    "blow-up": 1 + 0.01 * np.exp(T / 60),
    "climb": np.where(T < 300, FALL, FALL[300] + (T - 300) / 150) + wobble(0.03),
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
def test_each_speaks_where_it_should(name, scale):
    y = CURVES[name] * scale
    assert (Convergence().scan(y) is not None) == (name in {"decay", "cosine", "flips", "climb"})
    assert (Oscillation().scan(y) is not None) == (name in {"cosine", "flips"})
    assert (Divergence().scan(y) is not None) == (name in {"blow-up", "climb"})


def test_convergence_comes_when_the_closed_form_says():
    # The fall left within w steps after t is at most a tenth of the whole: exp(-t/40) (1 - exp(-w/40)) <= 0.1, with w = 100.
    begins = -40 * math.log(0.1 / (1 - math.exp(-100 / 40)))
    seen = Convergence(window=100, tolerance=0.1).scan(0.3 + 2 * np.exp(-T / 40))
    assert begins + 100 <= seen.step <= begins + 100 + 60


@pytest.mark.parametrize("target", [1.0, 0.4])
def test_convergence_by_target(target):
    seen = Convergence(window=20, tolerance=1e-9, target=target).scan(FALL)
    reached = -40 * math.log((target - 0.3) / 2)
    assert reached <= seen.step <= reached + 20
    assert seen.evidence[0].name == "target"
    assert Convergence(window=20, tolerance=1e-9, target=0.2).scan(FALL) is None


def test_convergence_is_rarely_claimed_of_a_loss_that_falls():
    # In the last window of 100 this line falls by a sixth of its whole fall; the tolerance is a tenth.
    claimed = sum(Convergence().scan(3 - T / 300 + wobble(0.2, seed)) is not None for seed in range(20))
    assert claimed <= 1


def test_white_noise_is_neither_oscillation_nor_divergence():
    for seed in range(40):
        y = 1 + np.exp(-T / 30) + wobble(0.4, seed)
        assert Oscillation().scan(y) is None
        assert Divergence().scan(y) is None


def test_a_small_oscillation_does_no_harm():
    y = FALL + 0.01 * np.cos(T)
    assert Oscillation().scan(y) is None
    assert Oscillation(amplitude=0.002).scan(y) is not None


def test_one_spike_is_no_divergence():
    y = CURVES["decay"].copy()
    y[[100, 250, 400]] = 1e6
    assert Divergence().scan(y) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, 1, 37, 599])
def test_what_is_not_finite_is_told_at_once(bad, at):
    y = CURVES["plateau"].copy()
    y[at] = bad
    seen = Divergence().scan(y)
    assert seen.step == at
    assert seen.to_dict()["evidence"][0]["value"] == at


@pytest.mark.parametrize("kind", [Convergence, Oscillation])
def test_the_others_bear_what_is_not_finite(kind):
    y = CURVES["cosine"].copy()
    y[[0, 50, 51]] = math.nan
    assert kind().scan(y) is None or kind is Oscillation
    assert kind().scan(np.full(300, math.inf)) is None


@pytest.mark.parametrize(("make", "name"), [(Convergence, "decay"), (Oscillation, "cosine"), (Divergence, "climb")])
def test_one_by_one_is_the_same_as_the_whole(make, name):
    detector = make()
    seen = [detector.update(torch.tensor(v)) for v in CURVES[name]]
    told = [v for v in seen if v is not None]
    assert told == [make().scan(CURVES[name])] == [detector.verdict]
    assert seen.index(told[0]) == told[0].step
    assert str(told[0]).startswith(f"{told[0].kind} at step {told[0].step}")


def test_a_scan_leaves_the_detector_alone():
    detector = Divergence()
    detector.scan(CURVES["blow-up"])
    assert detector.n == 0
    assert detector.verdict is None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Convergence(window=3), "window must be a whole number of values >= 12, got 3"),
        (lambda: Divergence(window=5.5), "window must be a whole number"),
        (lambda: Convergence(tolerance=0), r"tolerance must be a share of the fall in \(0, 1\), got 0"),
        (lambda: Convergence(target=math.nan), "target must be a finite loss or None, got nan"),
        (lambda: Oscillation(amplitude=-1), "amplitude must be a share of the run's size > 0, got -1"),
        (lambda: Divergence().scan(["a"]), "value 0 is str 'a'"),
    ],
)
def test_bad_arguments(make, said):
    with pytest.raises(BadValueError, match=said):
        make()
