"""What teaching pictures show is so: closed forms, torch, and the statistics they speak of."""

import json

import numpy as np
import pytest
import torch

from slalom.core.errors import BadValueError, UnknownNameError
from slalom.landscape.teaching import activations_of, lessons, teach
from slalom.landscape.teaching.rates import MOVES, target
from slalom.landscape.teaching.steps import LR, MU, START, VELOCITY
from slalom.landscape.teaching.valleys import STEEP, regression

CURVATURE = np.array([0.6, 6.0])  # of the bowl that momentum and NAG are shown on


def test_the_lessons():
    assert set(lessons()) == {
        "momentum-and-nag", "learning-rate", "batch-size", "adagrad-shrinks", "bias-correction", "activations",
        "rotation",
    }  # fmt: skip
    with pytest.raises(UnknownNameError, match="did you mean 'batch-size'"):
        teach("batch-sizes")


def gradients_used(record):
    """The gradient that each step's slope arrow stands for: the arrow divided by -lr."""
    return {
        name: np.array([(np.array(a.end) - np.array(a.begin)) / -LR for a in arrows if a.part == "slope"])
        for name, arrows in record.methods
    }


def test_momentum_takes_its_gradient_where_it_stands_and_nag_where_the_velocity_leads():
    made = dict(teach("momentum-and-nag").methods)
    used = gradients_used(teach("momentum-and-nag"))
    for name, arrows in made.items():
        where, v = np.array(START), np.array(VELOCITY)
        for t in (1, 2):  # the papers' formulas, by hand
            ahead = where + MU * v
            gradient = CURVATURE * (where if name == "momentum" else ahead)
            v = MU * v - LR * gradient
            after = where + v
            told = {a.part: a for a in arrows if a.number == t}
            np.testing.assert_allclose(told["carried"].end, ahead, rtol=1e-12)
            np.testing.assert_allclose(told["slope"].begin, ahead, rtol=1e-12)
            np.testing.assert_allclose(told["slope"].end, after, rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose((*told["step"].begin, *told["step"].end), (*where, *after), rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(used[name][t - 1], gradient, rtol=1e-9)
            where = after
    assert made["momentum"][-1].end[1] < -0.2  # across the floor
    assert abs(made["NAG"][-1].end[1]) < 0.1  # turned in time


def test_one_valley_three_learning_rates():
    low, right, high = (made["sgd"] for _, made in teach("learning-rate").panels)
    for path in (low, right, high):
        t = np.arange(41)
        wanted = np.stack([-1.7 * (1 - path.lr) ** t, 0.5 * (1 - STEEP * path.lr) ** t], axis=1)
        np.testing.assert_allclose(path.points, wanted, rtol=1e-9)
    assert low.arrived is None
    assert right.arrived == 25
    assert high.lr > 2 / STEEP > right.lr
    assert (np.diff(np.abs(high.points[:, 1])) > 0).all()


def test_one_valley_three_batch_sizes():
    panels = teach("batch-size").panels
    assert [made.surface.batch for _, made in panels] == [1, 32, None]
    ground = regression()
    features, noise = ground.data[:, :2], ground.data[:, 2]
    np.testing.assert_allclose(np.linalg.lstsq(features, noise, rcond=None)[0], 0, atol=1e-12)  # the minimum is the origin
    point = np.array([-0.5, 0.2])
    each = features * (features @ point - noise)[:, None]
    _, whole = ground.slopes(point[None])
    np.testing.assert_allclose(whole[0], each.mean(0), rtol=1e-12)
    spread = []
    for batch in (1, 32):  # the variance of a batch's gradient is one over its size
        rows = np.random.default_rng(0).integers(len(features), size=(4000, batch))
        drawn = np.array([ground.slopes(point[None], r)[1][0] for r in rows[:500]])
        spread.append(drawn.var(0, ddof=1).sum())
        assert spread[-1] == pytest.approx(each.var(0).sum() / batch, rel=0.35)
    full = panels[2][1]["sgd"].points
    assert np.array_equal(full, np.array([full[0], *full[1:]]))
    hessian = features.T @ features / len(features)
    np.testing.assert_allclose(full[1], full[0] - 0.08 * hessian @ full[0], rtol=1e-9)
    rough = [np.abs(np.diff(made["sgd"].points, 2, axis=0)).mean() for _, made in panels]
    assert rough[0] > 3 * rough[1] > 3 * rough[2]


def test_adagrads_rate_is_one_over_the_root():
    rates, ways = teach("adagrad-shrinks").charts
    ada, rms, reference = rates.curves
    np.testing.assert_allclose(ada.y, 0.1 / np.sqrt(ada.x), rtol=1e-8)
    np.testing.assert_allclose(ada.y, reference.y, rtol=1e-8)
    np.testing.assert_allclose(rms.y, 0.01 / np.sqrt(1 - 0.99**rms.x), rtol=1e-6)
    after = {c.label.split(",")[0]: c.y[MOVES + 500] for c in ways.curves}
    before = {c.label.split(",")[0]: c.y[MOVES] for c in ways.curves}
    assert all(abs(v - target(1)) < 0.25 for v in before.values())  # both had found the first minimum
    assert abs(after["rmsprop"] - target(MOVES + 1)) < 0.3
    assert after["adagrad"] < target(MOVES + 1) - 0.6


def test_bias_correction():
    averages, sizes = teach("bias-correction").charts
    t = averages.curves[0].x
    m, v, corrected = (c.y for c in averages.curves)
    np.testing.assert_allclose(m, 1 - 0.9**t, rtol=1e-12)
    np.testing.assert_allclose(v, 1 - 0.999**t, rtol=1e-10)
    np.testing.assert_allclose(corrected, 1, rtol=1e-12)
    with_it, without = (c.y for c in sizes.curves)
    np.testing.assert_allclose(with_it, 1, rtol=1e-6)
    np.testing.assert_allclose(without, (1 - 0.9**t) / np.sqrt(1 - 0.999**t), rtol=1e-5)
    assert without.min() > 3  # too long from the first step on


def test_activations_and_what_they_make_of_a_signal():
    made = {row.name: row for row in activations_of(["tanh", "relu", "identity", "gelu"]).rows}
    x = made["tanh"].x
    np.testing.assert_allclose(made["tanh"].slope, 1 - np.tanh(x) ** 2, atol=1e-12)
    np.testing.assert_allclose(made["gelu"].f, torch.nn.functional.gelu(torch.from_numpy(x)), rtol=1e-12)
    assert set(made["relu"].slope) == {0, 1}
    assert made["identity"].spread == pytest.approx(np.ones(10), abs=0.15)  # weights of variance 1 / width keep the variance
    # ReLU halves the second moment in each layer: std shrinks by the root of one half; tanh by less and less.
    np.testing.assert_allclose(made["relu"].spread[1:] / made["relu"].spread[:-1], 0.5**0.5, rtol=0.2)
    assert (np.diff(made["tanh"].spread) < 0).all()
    assert made["tanh"].spread[-1] > 5 * made["relu"].spread[-1]
    assert made["tanh"].shares.sum(1) == pytest.approx(np.ones(10))
    with pytest.raises(UnknownNameError, match="did you mean 'gelu'"):
        activations_of(["gelo"])
    with pytest.raises(BadValueError, match="one to six"):
        activations_of([])


@pytest.mark.parametrize("name", ["momentum-and-nag", "learning-rate", "adagrad-shrinks"])
def test_records_are_plain_as_dicts(name):
    told = json.loads(json.dumps(teach(name).to_dict(), allow_nan=False))
    assert told["title"]
    assert told["words"]
