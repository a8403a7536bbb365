"""Rows that do not fit are refused by every mechanism, before code in C reads past their end."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import slalom.rules  # noqa: F401
from slalom.core.errors import BadValueError
from slalom.engines.lanes import Lanes, lanes_of

X, Y = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2
IMAGES = torch.randn(20, 2, 6, 6, generator=torch.Generator().manual_seed(0))
WIDE = [
    (lambda: nn.Linear(4, 2), X, X[:, :3], "Linear takes 4 inputs, got 3"),
    (lambda: nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2)), X, X[:, :3], "BatchNorm1d takes 4 channels, got 3"),
    (lambda: nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 2)), X, X[:, :3], "LayerNorm takes 4 inputs, got 3"),
    (
        lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)),
        IMAGES, IMAGES[:, :1], "Conv2d takes 2 channels, got 1",
    ),
]  # fmt: skip


def made(mechanism: str, net=lambda: nn.Linear(4, 2), x=X) -> Lanes:
    return Lanes(net, lanes_of("adam", lr=[0.1, 0.2]), loss="cross_entropy", example=(x, Y), mechanism=mechanism)


@pytest.mark.parametrize("mechanism", ["native", "stacked", "traced", "vmap", "solo"])
def test_rows_that_do_not_fit_are_refused(mechanism: str) -> None:
    lanes = made(mechanism)
    before = lanes.weights(0)
    for x, y, said in [
        (X[:, :3], Y, r"4.*3"),
        (X, Y[:3], r"as many rows, got \[20, 4\] and \[3\]"),
        (X[:0], Y[:0], "no rows"),
        (X.long(), Y, "torch.int64"),
    ]:
        with pytest.raises(BadValueError, match=said):
            lanes.step(x, y)
        with pytest.raises(BadValueError, match=said):
            lanes.evaluate(x, y, [lambda outputs, _: outputs.mean()])
        if len(x) == len(y):
            with pytest.raises(BadValueError, match=said):
                lanes.predict(x)
    with pytest.raises(BadValueError, match="at least one row"):
        lanes.epoch(X, Y, [torch.arange(0)])
    assert all(torch.equal(v, before[k]) for k, v in lanes.weights(0).items())
    assert lanes.step(X, Y)[0].shape == (2,)  # and the lanes go on


@pytest.mark.parametrize(("net", "x", "narrow", "said"), WIDE, ids=["linear", "batch_norm", "layer_norm", "conv"])
def test_layers_in_c_refuse_another_width(net, x, narrow, said) -> None:
    lanes = made("native", net, x)
    with pytest.raises(BadValueError, match=said):
        lanes.step(narrow, Y)


def test_a_model_that_takes_other_sizes_still_does() -> None:
    lanes = made("native", WIDE[-1][0], IMAGES)
    assert lanes.predict(torch.zeros(3, 2, 9, 9)).shape == (2, 3, 2)
