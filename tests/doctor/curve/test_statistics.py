"""Noise, trend and swing against closed forms, NumPy and SciPy."""

import numpy as np
import pytest
from scipy import signal, stats

from slalom.doctor.curve.statistics import block_means, noise, swing, trend, trends


@pytest.mark.parametrize("sd", [1e-3, 0.2, 50.0])
def test_noise_is_the_sd_whatever_the_trend(sd):
    t = np.arange(4000)
    y = 7 * sd * np.exp(-t / 400) + 0.01 * sd * t + np.random.default_rng(3).normal(0, sd, 4000)
    assert noise(y) == pytest.approx(sd, rel=0.05)


def test_noise_does_not_see_outliers():
    y = np.random.default_rng(4).normal(0, 0.1, 1000)
    y[::50] += 1000
    assert noise(y) == pytest.approx(0.1, rel=0.15)


def test_trend_is_theil_sen_of_block_means():
    y = np.random.default_rng(5).normal(0, 1, 60).cumsum()
    means = y.reshape(10, 6).mean(1)
    slope, _, low, high = stats.theilslopes(means, np.arange(10) * 6 + 2.5, alpha=0.95)
    found = trend(y)
    assert (found.slope, found.low, found.high) == pytest.approx((slope, low, high))


def test_trend_along_an_axis_of_its_own():
    dose = np.cumsum(np.linspace(1, 0.1, 100))
    found = trend(5 - 2 * dose, dose)
    assert found.slope == pytest.approx(-2, rel=1e-6)


def test_trend_interval_holds_the_true_slope_as_often_as_it_says():
    rng = np.random.default_rng(6)
    t = np.arange(100)
    held = sum(f.low <= 0.03 <= f.high for f in (trend(0.03 * t + rng.normal(0, 1, 100)) for _ in range(200)))
    assert 0.90 <= held / 200 <= 0.99


def test_trends_of_many_rows_are_scipys_with_ties_and_without():
    rng = np.random.default_rng(5)
    rows = np.concatenate([rng.normal(size=(6, 90)).cumsum(1), np.repeat(rng.integers(0, 3, (4, 30)), 3, axis=1)]).astype(float)
    for row, found in zip(rows, trends(rows, blocks=30), strict=True):
        slope, _, low, high = stats.theilslopes(row.reshape(30, 3).mean(1), np.arange(30) * 3 + 1.0, alpha=0.95)
        assert (found.slope, found.low, found.high) == pytest.approx((slope, low, high), rel=1e-12)


def test_too_few_values_have_no_trend():
    assert trend(np.array([1.0, 2.0])).high == np.inf


def test_block_means_cover_everything():
    means, middles = block_means(np.arange(10.0), 3)
    assert means.tolist() == [1.5, 5.0, 8.0]
    assert middles.tolist() == [1.5, 5.0, 8.0]


@pytest.mark.parametrize(("n", "period"), [(64, 8), (99, 9), (200, 2), (120, 7.3)])
def test_swing_is_the_cosine_it_was_given(n, period):
    t = np.arange(n)
    found = swing(3 - 0.02 * t + 0.7 * np.cos(2 * np.pi * t / period))
    assert found.period == pytest.approx(period, rel=0.1)
    assert found.amplitude == pytest.approx(0.7 * (2**0.5 if period == 2 else 1), rel=0.15)  # at period 2 every value is a peak
    assert found.share > 0.8
    assert found.chance < 1e-6


def test_swing_finds_the_peak_that_scipy_finds():
    t = np.arange(256)
    y = np.random.default_rng(7).normal(0, 0.5, 256) + np.cos(2 * np.pi * t * 20 / 256)
    frequency, power = signal.periodogram(signal.detrend(y))
    assert swing(y).period == pytest.approx(1 / frequency[np.argmax(power)])


def test_chance_is_that_of_white_noise():
    rng = np.random.default_rng(8)
    seen = [swing(rng.normal(0, 1, 64)).chance for _ in range(1000)]
    assert sum(c < 0.05 for c in seen) < 75
    assert sum(c < 0.5 for c in seen) > 250


def test_a_straight_line_does_not_swing():
    assert swing(np.linspace(1e6, 1, 64)).share == 0
    assert swing(np.full(64, 0.3)).amplitude == 0
