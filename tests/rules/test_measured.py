"""Where sources differ: the sizes measured between torch, optax, Keras and the papers, and faults that ours must not have."""

import numpy as np
import pytest
import torch

from slalom.core.rule import get_rule
from slalom.testing import forced, logistic, quadratic, rosenbrock
from slalom.testing.trajectory import deviation, run


def path(name, steps=100, problem=None, lrs=None, **given):
    return run(get_rule(name)(**given), problem or forced(), steps, lrs)[0]


def steady(rule, dtype, steps, g=0.1):
    settings = rule
    p = torch.zeros(1, dtype=dtype)
    s = settings.init(p)
    for t in range(1, steps + 1):
        p, s = settings.step(p, torch.full((1,), g, dtype=dtype), s, t)
    return p.item()


def test_centred_rmsprop_in_float32_follows_float64():
    # torch 2.13 ends at -6308 and plain subtraction clamped at 0 at -8e7, where exact arithmetic ends at -46157.3
    settings = get_rule("rmsprop")(lr=0.01, centered=True)
    assert steady(settings, torch.float64, 2000) == pytest.approx(-46157.3034, rel=1e-8)
    assert steady(settings, torch.float32, 2000) == pytest.approx(-46157.3, rel=1e-3)


def test_centred_rmsprop_takes_its_variance_from_torchs_state():
    settings = get_rule("rmsprop")(centered=True)
    states = run(settings, forced(), 30)[1]
    derived = settings.states["d"].derived(settings.rule.S(**{"b": None, **states}))
    assert (derived - states["d"]).abs().max() <= 1e-12 * states["d"].max()


@pytest.mark.parametrize("order", [1.0, 2.0, 8.0, 32.0, 300.0])
@pytest.mark.parametrize("g", [1e-6, 1.0, 1e3, 1e12])
def test_lp_adam_neither_overflows_nor_underflows_in_float32(order, g):
    settings = get_rule("lp_adam")(p=order, lr=0.01, eps=0.0)
    # a constant gradient has the same corrected norm for every p, so every step is lr
    assert steady(settings, torch.float32, 50, g) == pytest.approx(-0.5, rel=1e-4)


def test_lp_adam_tends_to_adamax():
    # for large p the corrected norm is the largest recent gradient; AdaMax's needs no correction
    far = [deviation(path("lp_adam", p=p, b2=0.99, eps=1e-12, lr=2e-3), path("adamax", b2=0.99, convention="paper", lr=2e-3))
           for p in (2.0, 16.0, 128.0, 1024.0)]  # fmt: skip
    assert far == sorted(far, reverse=True)
    assert far[-1] < 0.01


def test_lp_adam_of_order_two_is_adam_with_b2_squared():
    # eps = 0 is exact in Adam only where every gradient is nonzero
    lp, adam = path("lp_adam", p=2.0, b2=0.99), path("adam", b2=0.99**2)
    assert deviation(lp, adam) < 1e-12


def test_conventions_of_momentum_and_nag_agree_until_lr_changes():
    for name in ("momentum", "nag"):
        constant = [0.01] * 60
        kept, dropped = path(name, 60, lrs=constant), path(name, 60, convention="paper", lrs=constant)
        assert deviation(kept, dropped) < 1e-12
        assert deviation(path(name, 100), path(name, 100, convention="paper")) > 1e-3
    assert np.array_equal(path("nag", convention="tf"), path("nag", convention="paper"))


def test_nag_holds_the_look_ahead_point():
    # theta, the paper's own iterate, is p - mu v, and its gradient steps are taken at p
    problem, mu, lr = quadratic(), 0.9, 0.05
    settings = get_rule("nag")(lr=lr, momentum=mu, convention="paper")
    theta, v = problem.start, np.zeros_like(problem.start)
    p = torch.tensor(problem.start)
    s = settings.init(p)
    for t in range(1, 51):
        p, s = settings.step(p, torch.from_numpy(problem.gradient(p.numpy(), t)), s, t)
        v = mu * v - lr * problem.gradient(theta + mu * v, t)
        theta = theta + v
        assert np.abs((p - mu * s.v).numpy() - theta).max() < 1e-14


@pytest.mark.parametrize(
    ("name", "a", "b", "least"),
    [
        ("momentum", {"dampening": 0.1}, {"dampening": 0.1, "convention": "tf"}, 1e-3),
        ("adagrad", {"eps": 1e-3}, {"eps": 1e-3, "convention": "tf", "initial_accumulator_value": 0.0}, 1e-4),
        ("rmsprop", {"eps": 1e-3}, {"eps": 1e-3, "convention": "paper", "momentum": 0.0, "lr": 0.01, "alpha": 0.99}, 1e-4),
        ("rmsprop", {}, {"initial_accumulator_value": 1.0}, 1e-2),
        ("adadelta", {"lr": 0.5}, {"lr": 0.5, "lr_inside": True}, 1e-2),
        ("adam", {"eps": 1e-3}, {"eps": 1e-3, "convention": "tf"}, 1e-3),
        ("adam", {"amsgrad": True}, {"amsgrad": True, "convention": "paper"}, 1e-2),
        ("adamw", {"weight_decay": 0.1}, {"weight_decay": 0.1, "convention": "paper"}, 1e-2),
        ("nadam", {}, {"momentum_decay": 1.0}, 1e-3),
        ("nadam", {}, {"convention": "paper"}, 1e-3),
        ("radam", {}, {"convention": "paper"}, 1e-3),
    ],
)
def test_what_sources_disagree_on_is_visible(name, a, b, least):
    assert deviation(path(name, **a), path(name, **b)) > least


def test_equalities_that_the_sources_state():
    same = 1e-12
    paper = path("adamw", weight_decay=1e-3 * 0.1, lr=1e-3, convention="paper", lrs=[1e-3] * 50, steps=50)
    assert deviation(path("adamw", weight_decay=0.1, lrs=[1e-3] * 50, steps=50), paper) < same  # lambda = .1 lr
    assert deviation(path("nadam", momentum_decay=1.0, lr=1e-3, eps=1e-7), path("nadam", convention="tf")) < same
    first = path("adadelta", correct_units=False, lr=0.01, rho=0.9, eps=1e-4)  # Adadelta's first form is RMSprop
    root = path("rmsprop", convention="paper", momentum=0.0, lr=0.01, alpha=0.9, eps=1e-4)
    assert deviation(first, root) < same
    rms = path("adam", b1=0.0, bias_correction=False, b2=0.99, lr=0.01, eps=1e-8)  # Adam without b1 and correction
    assert deviation(rms, path("rmsprop", lr=0.01)) < same
    assert deviation(path("windowed_adadelta", w=500, eps=0.1), path("adagrad", convention="tf", eps=0.1,
                     initial_accumulator_value=0.0)) < same  # fmt: skip


def test_uncorrected_paper_forms_stay_put_without_a_gradient():
    for name in ("adamax", "radam"):
        settings = get_rule(name)(convention="paper")
        p = torch.ones(2)
        s = settings.init(p)
        for t in range(1, 20):
            p, s = settings.step(p, torch.tensor([0.0, 1.0]), s, t)
        assert p[0] == 1
        assert 0 < 1 - p[1] < 1


def test_adagrad_without_the_root_explodes_from_zero_and_not_from_a_tenth():
    # lr / g at the first step: a small gradient makes a huge step
    kick = get_rule("adagrad")(exponent=1.0, lr=0.1)
    p, _ = kick.step(torch.zeros(1), torch.full((1,), 1e-3), kick.init(torch.zeros(1)), 1)
    assert p.item() == pytest.approx(-100, rel=1e-3)
    calm = get_rule("adagrad")(exponent=1.0, lr=0.1, initial_accumulator_value=0.1)
    p, _ = calm.step(torch.zeros(1), torch.full((1,), 1e-3), calm.init(torch.zeros(1)), 1)
    assert p.item() == pytest.approx(-1e-3, rel=1e-4)


LRS = {"sgd": 0.5, "momentum": 0.1, "nag": 0.1, "adagrad": 0.5, "adadelta": 30.0, "windowed_adadelta": 0.05, "radam": 0.2,
       "lion": 0.01}  # fmt: skip


@pytest.mark.parametrize("name", ["sgd", "momentum", "nag", "adagrad", "adadelta", "windowed_adadelta", "rmsprop", "adam",
                                  "adamax", "lp_adam", "adamw", "nadam", "radam", "lion"])  # fmt: skip
def test_every_rule_finds_a_known_minimum(name):
    problem = logistic()
    steps = 600
    lr = LRS.get(name, 0.05)
    lrs = [lr * 0.99 ** max(0, t - 100) for t in range(steps)]
    given = {"weight_decay": 0.0} if name == "adamw" else {}
    end = path(name, steps, problem, lrs, **given)[-1]
    assert problem.value(end) - problem.value(problem.minimiser) < 1e-3


def test_adam_walks_down_rosenbrocks_valley():
    problem = rosenbrock()
    end = path("adam", 2000, problem, [0.05] * 2000)[-1]
    assert problem.value(end) < 1e-2
