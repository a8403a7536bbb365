"""Model specs: what they build, what they are called, what they refuse."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from slalom.core.errors import BadValueError, UnknownNameError
from slalom.data import load
from slalom.nets import KINDS, build, default_widths
from slalom.nets.activations import NAMES


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def images():
    rng = torch.Generator().manual_seed(0)
    return load((torch.rand(60, 3, 9, 6, generator=rng), torch.arange(60) % 3))


def kinds(model):
    return [type(layer).__name__ for layer in model]


def shapes(model):
    return [tuple(p.shape) for p in model.parameters()]


def test_the_default_for_digits_is_the_race_of_the_readme(digits):
    factory = build(None, digits)
    assert factory.name == "MLP 64-64-64-10 relu"
    assert factory.spec == "mlp:64,64:relu"
    assert factory.note == "model sized to the data: mlp:64,64:relu"
    assert kinds(factory()) == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert shapes(factory()) == [(64, 64), (64,), (64, 64), (64,), (10, 64), (10,)]


def test_the_same_seed_gives_torchs_own_weights(digits):
    torch.manual_seed(5)
    ours = build("mlp:32:tanh", digits)
    torch.manual_seed(5)
    made = ours()
    torch.manual_seed(5)
    theirs = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    for a, b in zip(made.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)
    x = digits.val.x
    assert torch.equal(made(x), theirs(x))


def test_building_leaves_the_random_state_alone(digits):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    build("mlp:8:relu:dropout=.5", digits)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("spec", "layers", "again"),
    [
        ("linear", ["Linear"], "linear"),
        ("mlp:8", ["Linear", "ReLU", "Linear"], "mlp:8:relu"),
        ("mlp:gelu:8,4", ["Linear", "GELU", "Linear", "GELU", "Linear"], "mlp:8,4:gelu"),
        ("mlp:8:maxout", ["Maxout", "Linear"], "mlp:8:maxout"),
        (
            "mlp:8:relu:dropout=.25:batchnorm",
            ["Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear"],
            "mlp:8:relu:dropout=0.25:batchnorm",
        ),
        (
            "cnn:4,8:silu:batchnorm",
            ["Unflatten", *["Conv2d", "BatchNorm2d", "SiLU", "MaxPool2d"] * 2, "Flatten", "Linear"],
            "cnn:4,8:silu:batchnorm",
        ),
    ],
)
def test_layers_and_round_trip(digits, spec, layers, again):
    factory = build(spec, digits)
    assert kinds(factory()) == layers
    assert factory.spec == again
    rebuilt = build(factory.spec, digits)
    assert (rebuilt.name, rebuilt.spec) == (factory.name, factory.spec)
    assert shapes(rebuilt()) == shapes(factory())


def test_options_reach_the_layers(digits):
    model = build("mlp:8:relu:dropout=.25", digits)()
    assert model[2].p == 0.25
    assert build("mlp:8:relu:dropout=.123456789", digits).spec == "mlp:8:relu:dropout=0.123456789"


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_builds_and_trains(digits, name):
    model = build(f"mlp:8:{name}", digits)()
    model(digits.train.x[:8]).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_images(images, digits):
    assert kinds(build("mlp:8", images)()) == ["Flatten", "Linear", "ReLU", "Linear"]
    assert kinds(build("linear", images)()) == ["Flatten", "Linear"]
    cnn = build("cnn:4,5,6,7,8:relu", images)  # 9x6 halves to 4x3, 2x1, and stays there
    assert cnn.name == "CNN 3x9x6-4-5-6-7-8-3 relu"
    assert kinds(cnn()).count("MaxPool2d") == 2
    assert cnn.note == ""
    assert build("cnn:4", digits).note == "the 64 inputs are read as images of 1 x 8 x 8"
    assert build("cnn", digits).spec == "cnn:8,16:relu"
    grey = load((torch.rand(30, 5, 4), torch.arange(30) % 2))
    assert build("cnn:4", grey)()(grey.train.x).shape == (len(grey.train), 2)


def test_the_reshaped_digits_are_the_pictures(digits):
    reshaped = build("cnn:4", digits)()[0](digits.train.x)
    assert torch.equal(reshaped, digits.train.x.reshape(-1, 1, 8, 8))


@pytest.mark.parametrize(
    ("inputs", "rows", "width"),
    [(64, 1078, 64), (2, 600, 32), (65, 1078, 128), (300, 1800, 256), (3072, 50000, 256), (3072, 300, 64), (30, 40, 32)],
)
def test_default_widths(inputs, rows, width):
    assert default_widths(inputs, rows) == (width, width)


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("mpl:64,64:relu", UnknownNameError, "there is no model 'mpl'; did you mean 'mlp'"),
        ("", UnknownNameError, "known: cnn, linear, mlp; a function of your own"),
        ("mlp:64:rleu", UnknownNameError, "there is no activation or part of a model 'rleu'; did you mean 'relu'"),
        ("mlp:64:dropuot=.2", UnknownNameError, "'dropuot=.2'; did you mean 'dropout=.2'"),
        ("mlp:64::relu", UnknownNameError, "part of a model ''"),
        ("mlp:64,0", BadValueError, "sizes must be whole numbers >= 1"),
        ("mlp:64,,8", BadValueError, "sizes must be whole numbers >= 1"),
        ("mlp:-3", BadValueError, "sizes must be whole numbers >= 1"),
        ("mlp:6.5", BadValueError, "sizes must be whole numbers >= 1"),
        ("mlp:64:relu:tanh", BadValueError, "activation is given twice"),
        ("mlp:64:dropout=1", BadValueError, r"dropout must be a share in \[0, 1\), got '1'"),
        ("mlp:64:dropout=lots", BadValueError, r"dropout must be a share in \[0, 1\), got 'lots'"),
        ("linear:relu", BadValueError, "linear takes no further parts"),
        ("cnn:8:maxout", BadValueError, "a cnn has no maxout"),
        ("mlp:9000000000000", BadValueError, "making it raised RuntimeError"),
        (7, BadValueError, r"model must be a spec \(mlp, linear, cnn, package.module:function\)"),
    ],
)
def test_errors(digits, spec, error, says):
    with pytest.raises(error, match=says):
        build(spec, digits)


def test_a_cnn_needs_images():
    with pytest.raises(BadValueError, match=r"needs images \[channels, height, width\], got inputs \[4\]|got inputs \[13\]"):
        build("cnn:8", load("wine"))


def test_regression_has_one_output_a_target():
    rng = torch.Generator().manual_seed(0)
    data = load((torch.rand(20, 3, generator=rng), torch.rand(20, 2, generator=rng)))
    assert build(None, data)()(data.val.x).shape == (4, 2)


def test_every_kind_is_described():
    assert set(KINDS) == {"mlp", "linear", "cnn"}
