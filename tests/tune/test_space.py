"""Spaces: what each parameter makes of its scale, conditions, where a space may come from, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import slalom
from slalom.core.errors import BadValueError, SlalomError, UnknownNameError
from slalom.core.rule import get_rule
from slalom.data import load
from slalom.tune import Categorical, Float, Int, Space
from slalom.tune.space import from_factory, hyper_param, rule_params
from slalom.tune.space.default import default_space
from slalom.tune.space.space import from_toml
from slalom.tune.training.config import check_names

FLOATS = [Float(1e-4, 1, log=True), Float(-2, 3), Float(0.5, 0.999, near_one=True)]
INTS = [Int(1, 3), Int(16, 256, log=True), Int(8, 64, powers=True)]


@pytest.mark.parametrize("param", [*FLOATS, *INTS, Categorical(["a", 2, True, None])], ids=repr)
def test_a_value_and_its_place_agree(param):
    for u in np.linspace(0, 1, 41):
        value = param.at(float(u))
        assert param.check("x", value) == value
        assert param.at(param.unit(value)) == pytest.approx(value)
    if isinstance(param, Float):
        assert (param.at(0), param.at(1)) == pytest.approx((param.low, param.high))
    if param.count:
        assert param.grid(1000) == list(dict.fromkeys(param.at(u) for u in np.linspace(0, 1, 20001)))
        drawn = [param.at(float(u)) for u in np.random.default_rng(0).random(6000)]
        counts = np.array([sum(d is v or (d == v and type(d) is type(v)) for d in drawn) for v in param.grid(1000)])
        if not (isinstance(param, Int) and param.log):
            assert counts.min() > 0.8 * 6000 / param.count  # each has its share


def test_scales_are_those_of_their_names():
    u = np.random.default_rng(1).random(4000)
    log = np.array([Float(1e-4, 1, log=True).at(x) for x in u])
    assert np.mean(log < 1e-2) == pytest.approx(0.5, abs=0.03)
    near = np.array([Float(0.9, 0.999, near_one=True).at(x) for x in u])
    assert np.mean(near < 0.99) == pytest.approx(0.5, abs=0.03)


def test_ranges_follow_the_rules_own_declarations():
    rules = slalom.rules
    assert hyper_param(rules.adam.hypers["b1"], "b1") == Float(0.0, 0.99, near_one=True)
    assert hyper_param(rules.adam.hypers["lr"], "lr").log
    for name, param in rule_params(["sgd", "momentum", "nag", "adam", "adamw", "rmsprop", "radam", "adadelta", "lion"]).items():
        rule, hyper = name.split(".")
        declared = get_rule(rule).hypers[hyper]
        assert declared.admits(param.low), name
        assert declared.admits(param.high), name
        default = declared.default
        assert param.low <= default <= param.high or default == 0, name


def test_conditions_hide_what_is_not_in_use():
    space = Space(
        {
            "optimizer": Categorical(["sgd", "adam(amsgrad=True)"]),
            "sgd.momentum": Float(0, 0.9),
            "adam.b1": Float(0.5, 0.99),
            "nested": Int(1, 2).when(deep=True),
            "deep": Categorical([True, False]).when(optimizer="sgd"),
            "epochs": 7,
        }
    )
    point = {"optimizer": "sgd", "sgd.momentum": 0.5, "adam.b1": 0.9, "deep": False, "nested": 1}
    assert space.active(point) == {"epochs": 7, "optimizer": "sgd", "sgd.momentum": 0.5, "deep": False}
    assert "nested" in space.active({**point, "deep": True})
    other = space.active({**point, "optimizer": "adam(amsgrad=True)", "deep": True})
    assert other == {"epochs": 7, "optimizer": "adam(amsgrad=True)", "adam.b1": 0.9}
    again = Space(json.loads(json.dumps(space.to_dict())))
    assert again.to_dict() == space.to_dict()
    assert again.random(3, 5) == space.random(3, 5)


def test_random_points_are_a_function_of_seed_and_index():
    space = Space({"lr": FLOATS[0], "n": INTS[1]})
    points = [space.random(4, i) for i in range(50)]
    assert points == [space.random(4, i) for i in reversed(range(50))][::-1]
    assert len({json.dumps(p) for p in points}) == 50
    assert space.random(5, 0) != points[0]


def test_toml_and_signatures_say_the_same_as_python(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(
        '[space]\nlr = {float = [1e-4, 1], log = true}\noptimizer = ["sgd", "adam"]\nsgd.momentum = {float = [0, 0.99]}\n'
        'units = {low = 8, high = 64, log = true}\nepochs = 20\n"units2" = {int = [8, 64], when = {units = [8]}}\n'
    )
    python = Space(
        {
            "lr": Float(1e-4, 1, log=True), "optimizer": Categorical(["sgd", "adam"]), "sgd.momentum": Float(0, 0.99),
            "units": Int(8, 64, log=True), "epochs": 20, "units2": Int(8, 64).when(units=8),
        }
    )  # fmt: skip
    assert from_toml(path).to_dict() == python.to_dict()

    def net(width: Int(8, 64, log=True), depth=Int(1, 3), *, input_shape, output_size): ...  # noqa: B008

    net.__annotations__["width"] = Int(8, 64, log=True)  # as without `from __future__ import annotations`
    assert from_factory(net) == {"width": Int(8, 64, log=True), "depth": Int(1, 3)}


def test_the_default_space_suits_every_shipped_data_set():
    for name in ("digits", "iris", "diabetes"):
        data = load(name)
        space = Space(default_space(data, None, mlp=True, fixed_shape=False))
        check_names(space, {"layers", "units", "activation", "dropout"})
        assert space["batch_size"].high <= len(data.train) / 4
        for i in range(20):
            config = space.active(space.random(0, i))
            owned = {k.split(".")[0] for k in config if "." in k}
            assert owned <= {config["optimizer"]}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Float(1, 1), "low must be below high"),
        (lambda: Float(0, 1, log=True), "low must be above 0"),
        (lambda: Float(0, 1, near_one=True), "high must be below 1"),
        (lambda: Float(0.1, 0.9, log=True, near_one=True), "exclude each other"),
        (lambda: Float(0, math.inf), "must be a number"),
        (lambda: Int(1.0, 3), "whole number"),
        (lambda: Int(3, 9, powers=True), "powers of two"),
        (lambda: Categorical([]), "at least one choice"),
        (lambda: Categorical([(1, 2)]), "must be text"),
        (lambda: Categorical("ab"), "must be a list"),
        (lambda: Space({"a": 1}), "nothing varies"),
        (lambda: Space({"a": {"float": [1]}}), r"needs \[low, high\]"),
        (lambda: Space({"a": {"low": 1}}), "a: missing"),
        (lambda: Space({"a": {"float": [2, 1]}}), "space: a: Float: low"),
        (lambda: Space({"a": Int(1, 2).when(b=1)}), "condition of a 'b'"),
        (lambda: Space({"a": Int(1, 2).when(b=7), "b": Int(1, 3)}), r"b must be in \[1, 3\], got 7"),
        (lambda: Space({"a": Int(1, 2).when(b=1), "b": Int(1, 2).when(a=1)}), "circle"),
        (lambda: Space({"optimizer": Categorical(["sgd"]), "adma.b1": Float(0, 0.9)}), "adma"),
        (lambda: Space({"lr": Float(0.1, 1)}).filled({"lr": 2.0}, 0, 0), r"lr must be in \[0.1, 1\], got 2.0"),
        (lambda: Space({"lr": Float(0.1, 1)}).filled({"rl": 2.0}, 0, 0), "parameter of the space 'rl'"),
        (lambda: check_names(Space({"lrr": Float(0.1, 1)}), set()), "did you mean 'lr'"),
        (lambda: check_names(Space({"optimizer": Categorical(["adam"]), "adam.b3": Float(0.1, 1)}), set()), "b3"),
        (lambda: check_names(Space({"initialisation": Categorical(["he"])}), set()), "he"),
        (lambda: slalom.tune.space.as_space(3), "Space, a dict or"),
    ],
)
def test_what_cannot_be_is_refused(make, said):
    with pytest.raises((BadValueError, UnknownNameError), match=said) as caught:
        make()
    assert isinstance(caught.value, SlalomError)
