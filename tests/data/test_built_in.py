"""Built-in sets: shapes, tasks, scaling, splits; generators against what defines them."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits, load_iris

from slalom.core.errors import BadValueError, UnknownNameError
from slalom.data import load, names

FACTS = {  # task, rows, input shape, outputs
    "digits": ("classification", 1797, (64,), 10),
    "breast_cancer": ("classification", 569, (30,), 2),
    "wine": ("classification", 178, (13,), 3),
    "iris": ("classification", 150, (4,), 3),
    "diabetes": ("regression", 442, (10,), 1),
    "spirals": ("classification", 1000, (2,), 2),
    "moons": ("classification", 1000, (2,), 2),
    "zipf": ("classification", 3000, (300,), 2),
    "teacher": ("regression", 2000, (8,), 1),
    "noisy_digits": ("classification", 1797, (64,), 10),
}


def whole(data, field):
    return torch.cat([getattr(part, field) for part in (data.train, data.val, data.test)])


def test_the_names_are_these():
    assert list(names()) == list(FACTS)
    assert all(line.endswith(".") for line in names().values())


@pytest.mark.parametrize("name", FACTS)
def test_facts(name):
    task, rows, shape, outputs = FACTS[name]
    data = load(name)
    assert (data.name, data.task, data.input_shape, data.output_size) == (name, task, shape, outputs)
    sizes = [len(part) for part in (data.train, data.val, data.test)]
    assert sum(sizes) == rows
    shares = rows * np.array([0.6, 0.2, 0.2]) if name != "noisy_digits" else [200, 300, 1297]  # its own
    np.testing.assert_allclose(sizes, shares, atol=1.5)
    assert len(data.features) == shape[0]
    for part in (data.train, data.val, data.test):
        assert part.x.dtype == torch.float32
        assert part.y.dtype == (torch.int64 if task == "classification" else torch.float32)
        assert torch.isfinite(part.x).all()
    described = json.loads(json.dumps(data.describe()))
    assert described["output_size"] == outputs
    again = load(**json.loads(json.dumps(data.source)))
    assert again.fingerprint == data.fingerprint


@pytest.mark.parametrize("name", ["breast_cancer", "wine", "iris", "moons"])
def test_scaling_is_fitted_on_the_training_part_alone(name):
    x = load(name).train.x.double()
    torch.testing.assert_close(x.mean(0), torch.zeros(x.shape[1], dtype=x.dtype), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(0, correction=0), torch.ones(x.shape[1], dtype=x.dtype), atol=1e-5, rtol=0)
    assert load(name).val.x.mean(0).abs().max() > 1e-3


def test_rows_keep_their_targets_and_none_is_lost():
    bunch = load_iris()
    data = load("iris", scale=False)
    rows = sorted(map(tuple, torch.cat([whole(data, "x"), whole(data, "y")[:, None]], 1).tolist()))
    expected = sorted(map(tuple, np.column_stack([bunch.data, bunch.target]).astype(np.float32).tolist()))
    assert rows == expected
    scaled = load("iris")
    mean, std = data.train.x.double().mean(0), data.train.x.double().std(0, correction=0)
    torch.testing.assert_close(scaled.test.x, ((data.test.x - mean) / std).float())


def test_digits_pixels_share_one_scale():
    bunch = load_digits()
    raw, data = load("digits", scale=False), load("digits")
    assert whole(raw, "x").max() == 16
    pixels = raw.train.x.double()
    torch.testing.assert_close(data.val.x, ((raw.val.x - pixels.mean()) / pixels.std(correction=0)).float())
    assert any("8x8" in note for note in data.notes)
    assert sorted(map(tuple, whole(raw, "x").tolist())) == sorted(map(tuple, bunch.data.tolist()))


def test_regression_targets_go_back_to_their_units():
    bunch = load_diabetes(scaled=False)
    data = load("diabetes")
    back = whole(data, "y") * data.target_std[0] + data.target_mean[0]
    assert back.shape == (442, 1)
    np.testing.assert_allclose(np.sort(back[:, 0].numpy()), np.sort(bunch.target), rtol=1e-5)
    assert abs(float(data.train.y.mean())) < 1e-6
    plain = load("diabetes", scale=False)
    assert (plain.target_mean, plain.target_std) == ((0.0,), (1.0,))
    assert set(plain.train.y[:, 0].tolist()) <= set(bunch.target.tolist())


def test_stratified():
    data = load("breast_cancer", split=(0.5, 0.3, 0.2), seed=3)
    counts = torch.bincount(whole(data, "y")).double()
    for part, share in zip((data.train, data.val, data.test), (0.5, 0.3, 0.2), strict=True):
        torch.testing.assert_close(torch.bincount(part.y).double(), counts * share, atol=1.0, rtol=0)


def test_rows_are_shuffled_though_iris_comes_sorted_by_class():
    data = load("iris")
    for part in (data.train, data.val, data.test):
        assert (part.y[1:] < part.y[:-1]).sum() > 5


def test_the_same_seed_gives_the_same_split_in_another_process():
    code = "from slalom.data import load; print(load('wine', seed=5).fingerprint, load('zipf', seed=5).fingerprint)"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert there == [load("wine", seed=5).fingerprint, load("zipf", seed=5).fingerprint]
    assert load("wine", seed=6).fingerprint != there[0]
    torch.manual_seed(3)
    before = torch.get_rng_state()
    np.random.seed(0)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    load("moons")
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_built_in_names_come_before_files_and_need_no_pandas(tmp_path):
    (tmp_path / "zipf").touch()
    code = (
        "import sys; from slalom.data import load; load('zipf'); print(bool({'pandas', 'sklearn', 'pyarrow'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout == "False\n"


def test_spirals_lie_on_their_arms():
    data = load("spirals:n=300,noise=0,arms=3,turns=2,seed=1", scale=False)
    x, y = whole(data, "x").double(), whole(data, "y")
    radius = x.norm(dim=1)
    turn = torch.atan2(x[:, 1], x[:, 0]) / (2 * np.pi)
    off = radius + y / 3 - turn
    torch.testing.assert_close(off, off.round(), atol=1e-5, rtol=0)
    assert 1.9 < radius.max() <= 2
    assert torch.bincount(y).tolist() == [100, 100, 100]


def test_zipf_frequencies_and_classes():
    data = load("zipf:n=20000,features=50,top=.4,exponent=1.5,seed=3", seed=1)
    x, y = whole(data, "x"), whole(data, "y")
    assert set(x.unique().tolist()) == {0.0, 1.0}
    expected = 0.4 / np.arange(1, 51) ** 1.5
    z = (x.double().mean(0).numpy() - expected) / np.sqrt(expected * (1 - expected) / 20000)
    assert np.abs(z).max() < 4.5
    assert 0.9 < np.sqrt((z**2).mean()) + 0.1 < 1.4
    # The weights that drew the classes, recovered by an independent fit for the frequent words.
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e4, max_iter=500).fit(x.numpy(), y.numpy())
    weight = np.random.default_rng(3).standard_normal(50)
    np.testing.assert_allclose(fitted.coef_[0][:5], weight[:5], atol=0.25)
    np.testing.assert_allclose(fitted.intercept_, -expected @ weight, atol=0.1)
    assert any("not scaled" in note for note in data.notes)


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("digit", UnknownNameError, "there is no data set 'digit'; did you mean 'digits'.*a file is given by its path"),
        ("iris:n=3", BadValueError, "iris takes no arguments"),
        ("spirals:m=3", UnknownNameError, "there is no argument of spirals 'm'"),
        ("spirals:30", BadValueError, "arguments are written argument=value, got '30'; for instance spirals:n=1000"),
        ("spirals:n=1e3", BadValueError, "n must be a whole number, got '1e3'"),
        ("spirals:noise=loud", BadValueError, "noise must be a number, got 'loud'"),
        ("spirals:n=10,n=20", BadValueError, "n is given twice"),
        ("spirals:noise=-1", BadValueError, "noise must be >= 0"),
        ("spirals:noise=nan", BadValueError, "noise must be >= 0"),
        ("spirals:arms=1", BadValueError, "arms must be >= 2"),
        ("moons:n=0", BadValueError, "n must be > 0"),
        ("zipf:top=1.5", BadValueError, r"top must be in \(0, 1\], got 1.5"),
    ],
)
def test_errors(source, error, says):
    with pytest.raises(error, match=says):
        load(source)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"split": (0.5, 0.5)}, "three shares > 0"),
        ({"split": (0.6, 0.4, 0.0)}, "three shares > 0"),
        ({"split": (0.6, 0.2, 0.3)}, "sums to 1.1"),
        ({"split": "0.6"}, "three shares > 0"),
        ({"split": 0.6}, "three shares > 0"),
        ({"split": (0.6, 0.2, float("nan"))}, "three shares > 0"),
        ({"seed": -1}, "seed must be a whole number >= 0, got -1"),
        ({"seed": 1.5}, "seed must be a whole number >= 0"),
        ({"task": "clustering"}, "task must be 'classification', 'regression' or None"),
        ({"scale": "yes"}, "scale must be True or False"),
        ({"target": "species"}, "iris has a target already"),
    ],
)
def test_bad_options(options, says):
    with pytest.raises(BadValueError, match=says):
        load("iris", **options)


@pytest.mark.parametrize("name", ["spirals", "moons", "zipf", "teacher"])
def test_the_split_is_not_drawn_by_the_numbers_that_made_the_rows(name):
    """Made and split by the same seed, as by default, the parts are alike: spirals once were parted into rings."""
    data = load(name, scale=False)
    size = [part.x.double().square().sum(1) for part in (data.train, data.val, data.test)]
    spread = torch.cat(size).std()
    for part in size[1:]:
        assert abs(part.mean() - size[0].mean()) < 4 * spread * (1 / len(part) + 1 / len(size[0])) ** 0.5


def test_data_print_on_one_line_without_their_numbers():
    assert repr(load("iris")) == (
        "Data('iris': classification into 3 classes, 90/30/30 rows to train, validate and test, inputs [4])"
    )
    assert repr(load("diabetes").train) == "Part(265 rows of [10])"
