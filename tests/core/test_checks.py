"""Each check takes what is allowed and tells everything else with the name, the value and the range."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from slalom.core.checks import nn_module, number, whole, yes_or_no
from slalom.core.errors import BadValueError


def test_what_is_allowed_comes_back_as_pythons_own() -> None:
    assert [whole(v, "k", 1, 5) for v in (1, 5, np.int64(3))] == [1, 5, 3]
    assert type(whole(np.int64(3), "k", 1)) is int
    assert [number(v, "p", "[0, 1]") for v in (0, 1, 0.5, np.float32(0.25))] == [0.0, 1.0, 0.5, 0.25]
    assert number(1e300, "s", "[0, inf)") == 1e300
    assert yes_or_no(False, "b") is False
    assert isinstance(nn_module(nn.Identity(), "model"), nn.Module)


@pytest.mark.parametrize("value", [0, 6, -1, 2.0, True, "3", None, math.nan, torch.tensor(2)])
def test_what_is_no_whole_number_in_the_range(value) -> None:
    with pytest.raises(BadValueError) as told:
        whole(value, "frames", 1, 5)
    assert str(told.value) == f"frames must be a whole number in 1..5, got {value!r}"


@pytest.mark.parametrize(
    ("span", "wrong"),
    [
        ("[0, 1)", [-1e-9, 1, 1.5, math.nan, math.inf, True, "0.5", None, 1j]),
        ("(0, 1]", [0, -0.0, 1.0000001]),
        ("(0, inf)", [0, math.inf, -math.inf, math.nan]),
        ("(-inf, inf)", [math.inf, -math.inf, math.nan]),
    ],
)
def test_what_is_no_number_in_the_interval(span, wrong) -> None:
    for value in wrong:
        with pytest.raises(BadValueError) as told:
            number(value, "EMA: decay", span)
        assert str(told.value) == f"EMA: decay must be a number in {span}, got {value!r}"


def test_the_way_out_and_the_kind_are_said() -> None:
    with pytest.raises(BadValueError, match=r"classes must be a whole number >= 2 or None, got 1"):
        whole(1, "classes", 2, way_out=" or None")
    with pytest.raises(BadValueError, match=r"width must be a factor in \(0, inf\), got 0"):
        number(0, "width", "(0, inf)", kind="a factor")
    with pytest.raises(BadValueError, match=r"model must be an nn\.Module, got int"):
        nn_module(3, "model")
    with pytest.raises(BadValueError, match="mean must be True or False, got 1"):
        yes_or_no(1, "mean")
