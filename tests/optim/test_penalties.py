"""Penalties against scikit-learn, closed forms and torch's weight decay."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import ElasticNet as SkElasticNet
from sklearn.linear_model import Lasso, Ridge
from torch import nn

import slalom.optim as so
from slalom.core.errors import BadValueError
from slalom.core.penalty import Penalty
from slalom.engines.response import Response
from slalom.optim import L1, L2, ElasticNet
from slalom.rules import adam

N, D = 100, 50


def problem(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, D))
    w = np.zeros(D)
    w[:7] = rng.normal(size=7) * 3
    y = x @ w + 0.5 * rng.normal(size=N) + 1.5
    return x, y


def fit(penalty, make, steps, decay=False):
    x, y = (torch.from_numpy(a) for a in problem())
    net = nn.Linear(D, 1, dtype=torch.float64)
    nn.init.zeros_(net.weight), nn.init.zeros_(net.bias)
    optimizer = make(net.parameters())
    penalty.attach(optimizer, net)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: max(1 - t / steps, 1e-12) ** 2 if decay else 1.0)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x)[:, 0], y).backward()
        optimizer.step()
        schedule.step()
    return net.weight.detach()[0].numpy(), net.bias.item()


PLAIN = {
    "sgd": (lambda p: so.SGD(p, lr=0.3), 500),
    "sgd momentum": (lambda p: so.SGD(p, lr=0.1, momentum=0.9), 500),
    "sgd nesterov": (lambda p: so.SGD(p, lr=0.1, momentum=0.9, nesterov=True), 500),
    "momentum paper": (lambda p: so.Momentum(p, lr=0.1, momentum=0.9, convention="paper"), 500),
    "nag": (lambda p: so.NAG(p, lr=0.1, momentum=0.9), 500),
    "torch.SGD": (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), 500),
    "torch.SGD plain": (lambda p: torch.optim.SGD(p, lr=0.3), 500),
}
ADAPTIVE = {
    "adam": lambda p: so.Adam(p, lr=0.1),
    "torch.Adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "amsgrad": lambda p: so.Adam(p, lr=0.3, amsgrad=True),
    "adamax": lambda p: so.Adamax(p, lr=0.3),
    "nadam": lambda p: so.NAdam(p, lr=0.1),
    "radam": lambda p: so.RAdam(p, lr=0.1),
    "rmsprop": lambda p: so.RMSprop(p, lr=0.05),
    "rmsprop momentum": lambda p: so.RMSprop(p, lr=0.01, momentum=0.9),
    "adagrad": lambda p: so.Adagrad(p, lr=1.0),
    "adadelta": lambda p: so.Adadelta(p, lr=100.0),
}


@pytest.fixture(scope="module")
def lasso():
    model = Lasso(alpha=0.4, tol=1e-14, max_iter=100_000).fit(*problem())
    return model.coef_, model.intercept_


@pytest.mark.parametrize("name", PLAIN)
def test_proximal_l1_is_scikit_learns_lasso(name, lasso):
    make, steps = PLAIN[name]
    w, b = fit(L1(0.8), make, steps)
    assert np.abs(w - lasso[0]).max() < 1e-5
    assert abs(b - lasso[1]) < 1e-5
    assert ((w == 0) == (lasso[0] == 0)).all()


@pytest.mark.parametrize("name", ADAPTIVE)
def test_proximal_l1_has_the_same_solution_under_rules_that_scale_each_coordinate(name, lasso):
    w, b = fit(L1(0.8), ADAPTIVE[name], 1200, decay=True)
    assert np.abs(w - lasso[0]).max() < 1e-5
    assert abs(b - lasso[1]) < 1e-5
    assert ((w == 0) == (lasso[0] == 0)).all()


def test_a_subgradient_gives_no_zeros():
    w, _ = fit(L1(0.8, method="subgradient"), lambda p: so.SGD(p, lr=0.05), 300)
    assert (w == 0).sum() == 0


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_l2_is_ridge(name):
    make = PLAIN["sgd"][0] if name == "sgd" else ADAPTIVE["adam"]
    w, b = fit(L2(0.3), make, 700, decay=name == "adam")
    model = Ridge(alpha=0.3 * N / 2).fit(*problem())
    assert np.abs(w - model.coef_).max() < 1e-5
    assert abs(b - model.intercept_) < 1e-5


def test_the_norm_falls_as_the_strength_grows():
    norms = [np.linalg.norm(fit(L2(s), lambda p: so.SGD(p, lr=0.1), 200)[0]) for s in (0.0, 0.1, 0.5, 2.0)]
    assert norms == sorted(norms, reverse=True)


@pytest.mark.parametrize("name", ["sgd", "sgd momentum", "adam"])
def test_both_are_elastic_net(name):
    make = PLAIN[name][0] if name in PLAIN else ADAPTIVE[name]
    w, b = fit(ElasticNet(0.4, 0.3), make, 700, decay=name == "adam")
    model = SkElasticNet(alpha=0.35, l1_ratio=0.2 / 0.35, tol=1e-14, max_iter=100_000).fit(*problem())
    assert np.abs(w - model.coef_).max() < 1e-5
    assert abs(b - model.intercept_) < 1e-5
    assert ((w == 0) == (model.coef_ == 0)).all()


def test_the_moves_of_adam_are_its_own_step_sizes():
    torch.manual_seed(0)
    settings, response = adam(lr=0.01), Response()
    p = torch.randn(6, dtype=torch.float64)
    s, v = settings.init(p), torch.zeros(6, dtype=torch.float64)
    for t in range(1, 5):
        g = torch.randn(6, dtype=torch.float64)
        moved = response.moves(settings, p, g, s, t)
        p, s = settings.step(p, g, s, t)
        v = 0.999 * v + 0.001 * g**2
        assert torch.allclose(moved, 0.01 / ((v / (1 - 0.999**t)).sqrt() + 1e-8), rtol=1e-12)


def net_with_everything():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.PReLU(), nn.Linear(8, 2))


def test_biases_norms_and_slopes_are_spared_and_names_can_be_given():
    net = net_with_everything()
    assert list(Penalty(l1=1).chosen(net)) == ["0.weight", "3.weight"]
    assert list(Penalty(l1=1, params=["3.*", "2.weight"]).chosen(net)) == ["2.weight", "3.weight", "3.bias"]
    with pytest.raises(BadValueError, match=r"no parameter of Sequential is named '9\.\*'"):
        Penalty(l1=1, params="9.*").chosen(net)


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.PReLU(), nn.Linear(8, 2))


def steps_of(net, optimizer, count, closure=False):
    torch.manual_seed(1)
    for _ in range(count):
        x, y = torch.randn(16, 4), torch.randint(0, 2, (16,))

        def loss(x=x, y=y):
            optimizer.zero_grad()
            made = nn.functional.cross_entropy(net(x), y)
            made.backward()
            return made

        if closure:
            optimizer.step(loss)
        else:
            loss()
            optimizer.step()
    return torch.cat([p.detach().flatten() for p in net.parameters()])


@pytest.mark.parametrize("closure", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
def test_l2_is_torchs_weight_decay_on_the_same_groups(closure, maximize):
    ours, theirs = small_net(), small_net()
    a = torch.optim.Adam(ours.parameters(), lr=0.01, maximize=maximize)
    L2(0.1).attach(a, ours)
    b = torch.optim.Adam(so.decay_groups(theirs, 0.1), lr=0.01, maximize=maximize)
    assert torch.allclose(steps_of(ours, a, 5, closure), steps_of(theirs, b, 5), atol=1e-6)


def test_ours_and_torchs_take_the_same_proximal_steps_with_a_closure_or_without():
    made = []
    for kind, closure in ((so.Adam, False), (torch.optim.Adam, False), (so.Adam, True)):
        net = small_net()
        optimizer = kind(net.parameters(), lr=0.02)
        L1(0.05).attach(optimizer, net)
        made.append(steps_of(net, optimizer, 20, closure))
    assert torch.allclose(made[0], made[1], atol=1e-5)
    assert torch.equal(made[0], made[2])
    assert (made[0] == 0).sum() > 5


def test_a_resumed_run_goes_on_to_the_bit_and_a_removed_penalty_ends():
    def begin():
        net = small_net()
        optimizer = so.SGD(net.parameters(), lr=0.02, momentum=0.9)
        return net, optimizer, L1(0.05).attach(optimizer, net)

    net, optimizer, attached = begin()
    steps_of(net, optimizer, 5)
    again, other, kept = begin()
    again.load_state_dict(net.state_dict())
    other.load_state_dict(optimizer.state_dict())
    kept.load_state_dict(attached.state_dict())
    assert torch.equal(steps_of(net, optimizer, 5), steps_of(again, other, 5))
    attached.remove()
    kept.remove()
    plain, third, gone = begin()
    gone.remove()
    bare = small_net()
    assert torch.equal(steps_of(plain, third, 3), steps_of(bare, so.SGD(bare.parameters(), lr=0.02, momentum=0.9), 3))


def test_scaled_gradients_are_penalised_as_much():
    made = []
    for scale in (1.0, 1024.0):
        net = small_net()
        optimizer = so.SGD(net.parameters(), lr=0.05)
        ElasticNet(0.02, 0.1).attach(optimizer, net)
        nn.functional.cross_entropy(net(torch.ones(16, 4)), torch.zeros(16, dtype=torch.long)).mul(scale).backward()
        if scale != 1:
            optimizer.grad_scale, optimizer.found_inf = torch.tensor(scale), torch.tensor(0.0)
        optimizer.step()
        made.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert torch.allclose(*made, atol=1e-6)


def test_a_wrapper_is_followed_through_to_its_optimizer():
    net = small_net()
    optimizer = so.Accumulate(so.Adam(net.parameters(), lr=0.05), 2)
    attached = L1(0.2).attach(optimizer, net)
    assert attached.optimizer is optimizer.optimizer
    assert (steps_of(net, optimizer, 40) == 0).sum() > 5


class Own(torch.optim.SGD):
    pass


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: Own(p, lr=0.1), "needs the step that a rule takes"),
        (lambda p: torch.optim.LBFGS(p), "needs the step that a rule takes"),
        (lambda p: so.SGD(p, lr=0.1, clip_grad_norm=1.0), "clip_grad_norm is known only after the step"),
        (lambda p: so.SGD(list(p)[:1], lr=0.1), "the optimizer does not step 3.weight"),
    ],
)
def test_what_cannot_be_thresholded_is_refused(make, said):
    net = net_with_everything()
    with pytest.raises(BadValueError, match=said):
        L1(0.1).attach(make(net.parameters()), net)


def test_a_rule_of_signs_is_refused():
    net = net_with_everything()
    optimizer = so.Lion(net.parameters(), lr=0.1)
    L1(0.1).attach(optimizer, net)
    with pytest.raises(BadValueError, match="lion has no step in proportion"):
        steps_of(net, optimizer, 1)


@pytest.mark.parametrize("arguments", [{"l1": -1}, {"l2": float("nan")}, {"l1": True}, {"method": "magic"}])
def test_bad_values_are_named(arguments):
    with pytest.raises(BadValueError, match="penalty: "):
        Penalty(**arguments)
