"""Curves in 12 bits: the stated error holds, and what is special stays special."""

from __future__ import annotations

import base64
import math

import numpy as np
import pytest

from slalom.report.pack import LEVELS, pack, unpack, worst_error


def test_a_positive_curve_is_kept_within_half_a_level_of_its_logarithm() -> None:
    curve = np.exp(np.random.default_rng(0).uniform(math.log(1e-3), math.log(2.5), size=(7, 501)))
    bound = np.expm1(np.log(curve.max(1) / curve.min(1)) / (LEVELS - 1) / 2)
    error = np.abs(unpack(pack(curve)) / curve - 1).max(1)
    assert (error <= bound * 1.001).all()
    assert bound.max() < 0.001
    assert worst_error(curve, pack(curve)) == pytest.approx(error.max())


def test_each_curve_has_its_own_scale() -> None:
    curves = np.array([[1.0, 1.001, 1.002], [1e-30, 1.0, 1e30]])
    assert unpack(pack(curves))[0] == pytest.approx(curves[0], rel=1e-6)


def test_nan_zero_and_infinities_come_back_exactly() -> None:
    curves = np.array([[np.nan, 0.0, np.inf, 0.5, 2.0], [np.nan, -np.inf, -3.0, 0.0, 1.0]])
    back = unpack(pack(curves))
    assert np.array_equal(np.isnan(back), np.isnan(curves))
    assert np.array_equal(back[0, 1:3], [0.0, np.inf])
    assert back[1, 1] == -np.inf
    assert back[1, 3] == pytest.approx(0.0, abs=4 / (LEVELS - 1))


def test_a_curve_with_negative_values_is_linear() -> None:
    curve = np.linspace(-5.0, 3.0, 1001)[None]
    packed = pack(curve)
    assert packed["linear"] == [0]
    assert np.abs(unpack(packed) - curve).max() <= 8.0 / (LEVELS - 1) / 2 * 1.001


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (1, 1), (3, 3), (2, 5)])
def test_any_shape_survives(shape: tuple[int, int]) -> None:
    curves = np.full(shape, 0.25)
    assert unpack(pack(curves)) == pytest.approx(curves, rel=1e-6)


def test_a_curve_without_any_finite_value() -> None:
    assert np.isnan(unpack(pack(np.full((1, 4), np.nan)))).all()
    assert worst_error(np.full((1, 4), np.nan), pack(np.full((1, 4), np.nan))) == 0


def test_the_bytes_are_as_documented() -> None:
    """A decoder written from the module's text alone, bit by bit."""
    curves = np.array([[1.0, 100.0 ** (1000 / (LEVELS - 1)), 100.0]])
    packed = pack(curves)
    bits = base64.b64decode(packed["codes"])
    assert len(bits) == 6
    a, b = bits[0] + 256 * (bits[1] % 16), bits[1] // 16 + 16 * bits[2]
    assert (a, b) == (4, 1004)
    assert np.frombuffer(base64.b64decode(packed["ranges"]), "<f4") == pytest.approx([0.0, math.log(100)])
