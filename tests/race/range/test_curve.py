"""Smoothing, phases, the classic rules and the pick, against closed forms and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from slalom.race.range.curve import Phases, centred, phases
from slalom.race.range.pick import KERNEL, Profile, interval
from slalom.race.range.suggest import RULES

LRS = np.geomspace(1e-5, 1e1, 121)
X = np.log10(LRS)


def test_smoothing_leaves_a_minimum_where_it_is_and_an_exponential_average_does_not():
    parabola = (X + 2.0) ** 2
    assert np.argmin(centred(parabola, 6)) == np.argmin(parabola)
    lagging, average = [], 0.0
    for t, value in enumerate(parabola):
        average = 0.98 * average + 0.02 * value
        lagging.append(average / (1 - 0.98 ** (t + 1)))
    assert np.argmin(lagging) > np.argmin(parabola) + 5


def test_smoothing_is_the_weighted_mean_of_the_window():
    values = np.random.default_rng(0).normal(size=20)
    for i, half in ((0, 0), (1, 1), (10, 3), (18, 1)):  # narrower near the ends
        weights = [1 + half - abs(k) for k in range(-half, half + 1)]
        assert centred(values, 3)[i] == pytest.approx(np.average(values[i - half : i + half + 1], weights=weights))
    assert np.allclose(centred(3 * X + 1, 6), 3 * X + 1)  # a line stays a line


def test_phases_of_a_curve_whose_crossings_are_known():
    # falls by 1 from -4 to -2, is flat to -1, rises by 1 a decade: 5 % of the drop at -3.9 and -0.95
    loss = np.interp(X, [-5, -4, -2, -1, 1], [1, 1, 0, 0, 2])
    seen = phases(LRS, loss, 1.0)
    assert np.log10(seen.slow_below) == pytest.approx(-3.9, abs=0.05)
    assert np.log10(seen.diverging_from) == pytest.approx(-0.95, abs=0.05)
    assert [seen.of(lr) for lr in (1e-5, 1e-2, 1.0)] == ["too slow", "useful", "diverging"]


def test_phases_of_curves_without_them():
    assert phases(LRS, np.full(121, 2.0), 1.0) == Phases(None, None)
    assert phases(LRS, np.full(121, np.inf), 1.0) == Phases(None, None)
    assert phases(LRS, np.linspace(0.9, 0, 121), 1.0) == Phases(None, None)  # falls from the start to the end
    assert phases(LRS[:3], np.array([1.0, 0.0, np.inf]), 1.0).diverging_from is not None


def test_steepest_and_minimum_of_a_logistic_fall():
    loss = 1 / (1 + np.exp(4 * (X + 2.5))) + np.clip(X, 0, None)  # steepest at -2.5, least just at 0
    assert np.log10(RULES["steepest"](LRS, loss)) == pytest.approx(-2.5, abs=0.051)
    assert np.log10(RULES["minimum/10"](LRS, loss)) == pytest.approx(X[np.argmin(loss)] - 1)


def test_valley_is_the_longest_falling_run_with_its_own_start():
    rng = np.random.default_rng(3)
    for _ in range(20):
        loss = rng.normal(size=9)
        lrs = np.arange(1.0, 10.0)
        n = int(np.argmin(loss)) + 1
        every = [c for k in range(2, n + 1) for c in itertools.combinations(range(n), k) if (np.diff(loss[list(c)]) < 0).all()]
        found = RULES["valley"](lrs, loss)
        if n < 3 or not every:
            assert found is None
            continue
        most = max(map(len, every))
        places = {(c[0] + (c[-1] - c[0]) // 3 + (c[-1] - c[0]) // 6) for c in every if len(c) == most}
        assert int(found) - 1 in places


@pytest.mark.parametrize("rule", RULES)
def test_a_curve_that_never_falls_has_no_suggestion(rule):
    assert RULES[rule](LRS, np.linspace(1, 2, 121)) is None


def test_the_pick_is_the_least_of_the_averaged_profile():
    x, loss = np.array([-3.0, -2.5, -2.0, -1.5]), np.array([0.5, 0.2, 0.1, np.inf])
    fine = np.linspace(-3, -1, 4001)
    cut = np.interp(fine, [*x, -1.0], [0.5, 0.2, 0.1, 1.0, 1.0])
    averaged = [np.average(cut, weights=np.clip(1 - np.abs(fine - at) / KERNEL, 0, None)) for at in np.linspace(-3, -1.5, 49)]
    expected = np.linspace(-3, -1.5, 49)[int(np.argmin(averaged))]
    place = Profile(x, loss, 1.0).place()
    assert place == pytest.approx(expected, abs=0.07)
    assert place < -2.0  # away from the cliff


def test_of_places_alike_the_lowest():
    x = np.linspace(-4, 0, 9)
    falling = np.interp(x, [-4, -2, 0], [1.0, 0.1, 0.0])  # nine tenths of the drop by -2, straight to its least at 0
    profile = Profile(x, falling, 1.0)
    assert profile.place() > -1
    reached = -2 + 2 * (0.1 - 0.05) / 0.1  # where .05 of the drop is left
    assert profile.place(0.05) == pytest.approx(
        reached, abs=0.4
    )  # the average is a little above the least, as beyond 0 is a cliff
    assert profile.place(0.05) < profile.place(0.01) < profile.place()


def test_falling_is_below_the_start_or_below_what_does_nothing():
    x = np.array([-3.0, -2.0])
    assert Profile(x, np.array([0.9, 1.2]), 1.0).falls()
    assert Profile(x, np.array([1.5, 1.2]), 1.0).falls()  # harder batches
    above = Profile(x, np.array([1.1, 1.2]), 1.0)
    assert not above.falls()
    assert above.falls(noise=0.15)
    assert not above.falls(noise=0.05)


def test_the_interval_holds_every_rate_that_is_as_good():
    flat = Profile(np.array([-4.0, -3, -2, -1, 0]), np.array([0.9, 0.011, 0.01, 0.012, 0.5]), 1.0)
    assert interval(-2.0, flat) == (-3.0, -1.0)
    assert interval(-2.0, Profile(flat.x, np.array([0.9, 0.5, 0.01, 0.5, 0.9]), 1.0)) == (-2.75, -1.25)
