"""Metrics against scikit-learn, in the data's own units."""

from __future__ import annotations

import pytest
import sklearn.metrics
import torch

from slalom.data import load
from slalom.race.metrics import METRICS, in_units, resolve_metric

G = torch.Generator().manual_seed(0)
LOGITS, LABELS = torch.randn(60, 4, generator=G), torch.randint(0, 4, (60,), generator=G)
PREDICTED, TRUE = torch.randn(60, 2, generator=G).double(), torch.randn(60, 2, generator=G).double()


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("accuracy", sklearn.metrics.accuracy_score),
        ("balanced_accuracy", sklearn.metrics.balanced_accuracy_score),
        ("f1", lambda t, p: sklearn.metrics.f1_score(t, p, average="macro")),
    ],
)
def test_classification(name: str, theirs) -> None:
    assert METRICS[name].measure(LOGITS, LABELS) == pytest.approx(theirs(LABELS.numpy(), LOGITS.argmax(1).numpy()))


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("r2", sklearn.metrics.r2_score),
        ("mae", sklearn.metrics.mean_absolute_error),
        ("rmse", lambda t, p: sklearn.metrics.mean_squared_error(t.ravel(), p.ravel()) ** 0.5),
    ],
)
def test_regression(name: str, theirs) -> None:
    assert METRICS[name].measure(PREDICTED, TRUE) == pytest.approx(theirs(TRUE.numpy(), PREDICTED.numpy()))


def test_regression_is_measured_in_the_datas_units() -> None:
    data = load("diabetes")
    measure = in_units(resolve_metric("mae", data).measure, data)
    zeros = torch.zeros(len(data.test), 1)
    original = data.test.y * data.target_std[0] + data.target_mean[0]
    expected = (original - data.target_mean[0]).abs().mean()
    assert measure(zeros, data.test.y) == pytest.approx(expected.item(), rel=1e-5)
    assert expected > 10  # disease progression is counted in tens, not in standard deviations
