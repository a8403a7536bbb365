"""Figures as a person reads them."""

import math

import pytest

from slalom.terminal import marks


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.97222, "0.9722"), (0.0, "0.0000"), (-0.5, "-0.5000"), (9.99999, "10.0000"), (12.34567, "12.346"), (123456.7, "123457"),
        (1.5e9, "1.50e+09"), (1e-7, "1.00e-07"), (math.nan, "-"), (math.inf, "inf"), (-math.inf, "-inf"),
    ],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert marks.number(value) == text


@pytest.mark.parametrize("lr", [1e-8, 3.2e-5, 1.7783e-3, 0.00999, 0.01, 0.1, 1.0, 17.78, 999.4, 1e4])
def test_a_learning_rate_reads_back_to_three_digits(lr: float) -> None:
    assert float(marks.rate(lr)) == pytest.approx(lr, rel=5e-3)
    assert len(marks.rate(lr)) <= 7


def test_a_learning_rate_of_nothing_is_written() -> None:
    assert marks.rate(0.0) == "0"


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.99, "0:59"), (3600, "1:00:00"), (math.nan, "-:--")])
def test_times(seconds: float, text: str) -> None:
    assert marks.clock(seconds) == text


def test_a_curve_stays_within_its_bars() -> None:
    assert marks.spark([-5, 0, 0.49, 1, 7], 0, 1) == "▁▁▄██"
    assert marks.spark([3, 2, 1], 3, 1) == "▁▅█"  # lower is better: turned over
    assert marks.spark([2, 2], 2, 2) == "██"
    assert marks.spark([math.nan, math.inf], 0, 1, missing="?") == "??"
    assert marks.spark([0, 1], 0, 1, bars=marks.ASCII_BARS) == "_#"


@pytest.mark.parametrize("n", [1, 2, 5, 12, 13, 100])
def test_a_thinned_curve_keeps_its_ends(n: int) -> None:
    values = [float(i) for i in range(n)]
    kept = marks.thin(values, 12)
    assert len(kept) == min(n, 12)
    assert (kept[0], kept[-1]) == (0.0, n - 1.0)
    assert kept == sorted(set(kept))
    assert marks.thin(values, 1) == [n - 1.0]
