"""Modules, functions and `package.module:function` as models."""

from __future__ import annotations

import sys
import textwrap

import pytest
import torch
from torch import nn

from slalom.core.errors import BadValueError, UnknownNameError
from slalom.data import load
from slalom.nets import Factory, build


@pytest.fixture(scope="module")
def iris():
    return load("iris")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current directory with modules of one's own, which are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("own_"):
            del sys.modules[name]


class Net(nn.Module):
    def __init__(self, input_shape, output_size, width=5):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(input_shape[0], width), nn.Linear(width, output_size))

    def forward(self, x):
        return self.layers(x)


def test_a_module_is_copied_as_it_is_now(iris):
    module = nn.Linear(4, 3)
    kept = module.weight.detach().clone()
    factory = build(module, iris)
    with torch.no_grad():
        module.weight.zero_()
    one, two = factory(), factory()
    assert torch.equal(one.weight, kept)
    assert torch.equal(two.weight, kept)
    assert one is not two
    assert one.weight.data_ptr() != two.weight.data_ptr()
    assert factory.spec is None
    assert "every lane starts from the same weights" in factory.note


def test_functions_and_classes(iris):
    assert build(lambda: nn.Linear(4, 3), iris).name == "model"
    factory = build(Net, iris)
    assert factory.name == "Net"
    assert factory().layers[0].in_features == 4
    assert build(lambda output_size: nn.Linear(4, output_size), iris)().out_features == 3
    assert build(lambda **anything: nn.Linear(4, 3), iris)().out_features == 3
    again = build(factory, iris)
    assert again is factory


def test_lazy_modules_know_their_shapes(iris):
    def lazy():
        return nn.Sequential(nn.LazyLinear(6), nn.LazyBatchNorm1d(), nn.LazyLinear(3))

    model = build(lazy, iris)()
    assert [tuple(p.shape) for p in model.parameters()] == [(6, 4), (6,), (6,), (6,), (3, 6), (3,)]
    assert model.training
    assert model[1].num_batches_tracked == 0
    with pytest.raises(BadValueError, match="lazy layers without a shape yet; run it on a batch once"):
        build(lazy(), iris)


def test_float64_models_and_batchnorm_are_tried_as_they_are(iris):
    build(lambda: nn.Linear(4, 3).double(), iris)
    module = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))
    assert build(module, iris)()[0].running_mean.abs().max() == 0


def test_from_a_module_in_the_current_directory(here, iris):
    here("own_models.py", """
        from torch import nn
        WIDTH = 7
        def small(): return nn.Linear(4, 3)
        def sized(input_shape, output_size): return nn.Sequential(nn.Linear(*input_shape, WIDTH), nn.Linear(WIDTH, output_size))
        class Models:
            small = staticmethod(small)
    """)  # fmt: skip
    here("own_package/__init__.py", "")
    here("own_package/nets.py", "from torch import nn\ndef small(): return nn.Linear(4, 3)\n")
    path = list(sys.path)
    factory = build("own_models:sized", iris)
    assert sys.path == path
    assert (factory.name, factory.spec) == ("sized", "own_models:sized")
    assert factory()[0].out_features == 7
    assert isinstance(build("own_package.nets:small", iris), Factory)
    assert build("own_models:Models.small", iris)().in_features == 4


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("own_missing:small", BadValueError, "there is no module 'own_missing' in .* or installed"),
        ("own_bad.missing:small", BadValueError, "there is no module 'own_bad.missing'"),
        ("own_bad:smal", UnknownNameError, "there is no function in own_bad 'smal'; did you mean 'small'"),
        ("own_bad:NUMBER", BadValueError, "is a int; it must be a function or class"),
        ("own_bad:needs", BadValueError, "needs width; it is called with nothing, or with input_shape and output_size"),
        ("own_bad:breaks", BadValueError, "making it raised ZeroDivisionError"),
        ("own_broken:small", BadValueError, "importing own_broken raised SyntaxError"),
        ("own_needy:small", BadValueError, "own_needy needs the module 'own_not_installed', which is not installed"),
    ],
)
def test_errors_of_places(here, iris, spec, error, says):
    here("own_bad.py", """
        from torch import nn
        NUMBER = 3
        def small(): return nn.Linear(4, 3)
        def needs(width): return nn.Linear(4, 3)
        def breaks(): return 1 / 0
    """)  # fmt: skip
    here("own_broken.py", "def small(:\n")
    here("own_needy.py", "import own_not_installed\n")
    with pytest.raises(error, match=says):
        build(spec, iris)


class Pair(nn.Linear):
    def forward(self, x):
        return super().forward(x), x


SHARED = nn.Linear(4, 3)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: "a model", "must return an nn.Module, got str"),
        (lambda: nn.Linear(4, 2), r"must give \[3, 3\] for 3 rows of iris, got \[3, 2\]; make its last layer 3 wide"),
        (lambda: nn.Linear(5, 3), r"cannot take a batch of iris, \[3, 4\]: .*; its input must be \[rows, 4\]"),
        (lambda: Pair(4, 3), r"must give \[3, 3\] for 3 rows of iris, got tuple"),
        (lambda: nn.Flatten(), "has no parameter to train"),
        (lambda: nn.Linear(4, 3).requires_grad_(False), "has no parameter to train"),
        (lambda: SHARED, "returns the same module each time"),
    ],
)
def test_errors_of_functions(iris, make, says):
    with pytest.raises(BadValueError, match=says):
        build(make, iris)


def test_a_forgotten_target_dimension_is_named():
    data = load("diabetes")

    class Flat(nn.Linear):
        def forward(self, x):
            return super().forward(x).squeeze(1)

    with pytest.raises(BadValueError, match=r"got \[3\]; make its last layer 1 wide; add .unsqueeze\(1\)"):
        build(Flat(10, 1), data)


class Words(nn.Module):
    """An embedding of whole numbers below 9."""

    def __init__(self, cast: bool) -> None:
        super().__init__()
        self.cast = cast
        self.table = nn.Embedding(9, 3)
        self.last = nn.Linear(12, 2)

    def forward(self, x):
        return self.last(self.table(x.long() if self.cast else x).flatten(1))


def test_an_embedding_is_told_how_inputs_arrive():
    x = torch.arange(360).reshape(90, 4) % 9
    pairs = (x, x[:, 0] > 4)
    assert build(lambda: Words(cast=True), load(pairs, scale=False)).spec is None
    for cast, scale in ((False, False), (True, True)):
        with pytest.raises(BadValueError, match=r"begin its forward with x = x.long\(\), and race with scale=False"):
            build(lambda cast=cast: Words(cast), load(pairs, scale=scale))


def test_a_model_that_returns_several_things_is_told_to_return_one():
    class Two(nn.Linear):
        def forward(self, x):
            return super().forward(x), x

    with pytest.raises(BadValueError, match=r"got tuple; return one tensor alone"):
        build(lambda: Two(4, 3), load("iris"))
