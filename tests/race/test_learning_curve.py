"""The curve against data whose answer is known, and its advice against errors made up for it."""

import numpy as np
import pytest
import torch

from slalom.core.errors import BadValueError
from slalom.race.learning_curve import LearningCurve, learning_curve


def curve(last_two, train):
    val = np.array([[0.5] * 4, *last_two])
    return LearningCurve((50, 100, 200), val, np.array([[train] * 4] * 3), "errors")


@pytest.mark.parametrize(
    ("last_two", "train", "said"),
    [
        ([[0.3, 0.32, 0.31, 0.33], [0.2, 0.21, 0.22, 0.21]], 0.0, "more data helps: from 100 to 200"),
        ([[0.3, 0.2, 0.31, 0.2], [0.2, 0.3, 0.2, 0.31]], 0.0, "not shown that more data helps"),
        ([[0.3, 0.2, 0.31, 0.2], [0.2, 0.3, 0.2, 0.31]], 0.24, "try a larger model"),
        ([[0.3, np.nan, np.nan, np.nan], [0.2, 0.3, 0.2, 0.31]], 0.24, "too few seeds"),
    ],
)
def test_the_advice_follows_from_the_last_step_and_the_gap(last_two, train, said):
    assert said in curve(last_two, train).advice


def test_the_gain_is_the_paired_difference():
    gain, se = curve([[0.4, 0.3, 0.5, 0.4], [0.3, 0.1, 0.4, 0.2]], 0).gain
    diff = np.array([0.1, 0.2, 0.1, 0.2])
    assert abs(gain - 0.15) < 1e-12
    assert abs(se - diff.std(ddof=1) / 2) < 1e-12


def test_digits_need_more_data():
    made = learning_curve("mlp:32:relu", "digits", sizes=[30, 300], seeds=3, steps=150, lr=0.01)
    assert made.val.shape == made.train.shape == (2, 3)
    assert made.advice.startswith("more data helps")
    assert made.val[0].mean() > 2 * made.val[1].mean()
    assert "share of wrong answers" in str(made)


def test_a_rule_that_is_plain_needs_none():
    torch.manual_seed(0)
    x = np.random.default_rng(0).normal(size=(400, 2))
    y = x @ np.array([1.0, -2.0])
    made = learning_curve(torch.nn.Linear(2, 1), (x, y), sizes=[100, 200], seeds=3, steps=600, lr=0.1, rule="sgd")
    assert made.val.max() < 1e-3


@pytest.mark.parametrize(
    "more", [{"sizes": [10]}, {"sizes": [20, 10]}, {"sizes": [10, 10**6]}, {"seeds": 1}, {"steps": 0}, {"batch_size": 0}]
)
def test_bad_values_are_named(more):
    with pytest.raises(BadValueError, match=r"learning_curve: |batch_size must be"):
        learning_curve("mlp:4:relu", "iris", **more)


def test_rules_and_batches_are_those_of_a_race():
    given = {"sizes": [20, 60], "seeds": 2, "steps": 30, "lr": 0.02}
    full = learning_curve("mlp:8:tanh", "iris", rule="torch.RMSprop(alpha=0.9)", batch_size="full", **given)
    own = learning_curve("mlp:8:tanh", "iris", rule="rmsprop(alpha=0.9)", batch_size="full", **given)
    np.testing.assert_allclose(own.val, full.val, atol=0.05)  # torch's own optimizer, one lane at a time
    # 20 and 60 rows at once are batches of 60, which leaves the smaller size whole too
    same = learning_curve("mlp:8:tanh", "iris", rule="rmsprop(alpha=0.9)", batch_size=60, **given)
    np.testing.assert_array_equal(own.val, same.val)
    assert (own.val != learning_curve("mlp:8:tanh", "iris", rule="rmsprop(alpha=0.9)", batch_size=4, **given).val).any()
    with pytest.raises(LookupError, match="or 'adam'"):
        learning_curve("mlp:8", "iris", rule="adma")
