"""sparse="dense-equivalent" gives the numbers of the dense run: the float64 references', torch's, our own dense step's."""

import pytest
import torch

import slalom.optim
from slalom.engines.sparse import behind, lazy
from slalom.testing.references import REFERENCES
from tests.engines.sparse.twins import (
    OPTIMIZERS,
    V,
    W,
    arguments,
    chosen,
    difference,
    gradients,
    numbers,
    run,
    schedule,
    sparse,
    table,
)

MODE = "dense-equivalent"
STEPS = 9


@pytest.fixture(params=["compiled", "eager"])
def path(request, monkeypatch):
    if request.param == "eager":
        for module in (behind, lazy):
            monkeypatch.setattr(module, "compiled", lambda *_: None)
    return request.param


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_every_setting_of_every_rule_follows_its_reference(rule, monkeypatch):
    for module in (behind, lazy):
        monkeypatch.setattr(module, "compiled", lambda *_: None)
    grads = list(gradients(STEPS))
    dense = [g.to_dense().numpy().ravel() for g in grads]
    for case in chosen(rule):
        lr = case.settings.values["lr"]
        p = table()
        start = p.detach().numpy().ravel().copy()
        optimizer = OPTIMIZERS[rule]([p], sparse=MODE, **arguments(case))
        run(optimizer, p, grads, dense=False, change=lambda group, t, lr=lr: group.update(lr=lr * schedule(t)))
        optimizer.catch_up()
        lrs = [lr * schedule(t) for t in range(1, STEPS + 1)]
        wanted = REFERENCES[rule](start, lambda x, t: dense[t - 1], lrs, **numbers(case.settings))[-1]
        torch.testing.assert_close(
            p.detach(), torch.from_numpy(wanted).view(V, W), rtol=1e-10, atol=1e-10, msg=lambda m, c=case: f"{c}: {m}"
        )


def every_hyper_changes(rule):
    """A change of every hyper of a group at every step, within its bounds; gates stay as they are."""

    def change(group, t):
        for a in OPTIMIZERS[rule]._arguments:
            if a.names:
                values = group[a.name] if a.is_tuple else (group[a.name],)
                first = group.setdefault(f"first of {a.name}", values)
                moved = tuple(x * (1 - 0.01 * t) if x else x for x in first)
                group[a.name] = moved if a.is_tuple else moved[0]

    return change


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_every_rule_equals_its_own_dense_run_under_changing_hypers(rule, decay):
    p, q = table(), table()
    more = {"weight_decay": decay, **({"momentum": 0.9, "nesterov": True} if rule == "sgd" else {})}
    a = run(OPTIMIZERS[rule]([p], sparse=MODE, **more), p, gradients(25), dense=False, change=every_hyper_changes(rule))
    b = run(OPTIMIZERS[rule]([q], **more), q, gradients(25), dense=True, change=every_hyper_changes(rule))
    a.catch_up()
    assert difference(a, p, b, q) <= 1e-10


TORCHS = {
    "SGD": {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
    "Adam": {"amsgrad": True, "lr": 0.1},
    "AdamW": {"lr": 0.1, "weight_decay": 0.1},
    "NAdam": {"lr": 0.1, "decoupled_weight_decay": True, "weight_decay": 0.1},
    "RMSprop": {"lr": 0.1, "momentum": 0.9},
    "RAdam": {"lr": 0.1},
    "Adagrad": {"lr": 0.1, "lr_decay": 0.1},
    "Adamax": {"lr": 0.1, "maximize": True},
    "Adadelta": {"maximize": True},
}


@pytest.mark.parametrize("name", TORCHS)
def test_it_equals_torchs_dense_optimizer(name, path):
    p, q = table(), table()
    a = run(getattr(slalom.optim, name)([p], sparse=MODE, **TORCHS[name]), p, gradients(30), dense=False)
    run(getattr(torch.optim, name)([q], **TORCHS[name]), q, gradients(30), dense=True)
    a.catch_up()
    tolerance = 1e-7 if name == "NAdam" else 1e-10  # torch keeps mu_product in float32
    torch.testing.assert_close(p, q, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("rule", ["adam", "sgd", "nadam"])
def test_float32_is_the_dense_run_to_rounding(rule, path):
    more = {"momentum": 0.9} if rule == "sgd" else {}
    p, q = table(torch.float32), table(torch.float32)
    a = run(OPTIMIZERS[rule]([p], sparse=MODE, lr=0.1, **more), p, gradients(30, torch.float32), dense=False)
    b = run(OPTIMIZERS[rule]([q], lr=0.1, **more), q, gradients(30, torch.float32), dense=True)
    a.catch_up()
    assert difference(a, p, b, q) <= 2e-6


@pytest.mark.parametrize("rule", ["adam", "sgd"])
def test_hundreds_of_missed_steps_in_float32_end_where_the_dense_run_does(rule):
    # In float32 a momentum that is halved each step reaches denormals after 126 steps; a replay flushes them.
    more = {"momentum": 0.5} if rule == "sgd" else {"betas": (0.5, 0.999)}
    p, q = table(torch.float32), table(torch.float32)
    one, none = sparse([0], torch.ones(1, W)), sparse([], torch.ones(0, W))
    a = run(OPTIMIZERS[rule]([p], sparse=MODE, **more), p, [one] + [none] * 250, dense=False)
    run(OPTIMIZERS[rule]([q], **more), q, [one] + [none] * 250, dense=True)
    assert len(a._behind[p].journal._rows) >= 250
    a.catch_up()
    torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(p[1:], table(torch.float32)[1:], rtol=0, atol=0)


@pytest.mark.parametrize("gate", ["weight_decay", "momentum"])
def test_a_gate_that_opens_on_the_way_is_a_new_program_from_there(gate, path):
    def change(group, t):
        group[gate] = 0.5 if t > 8 else 0.0

    for rule in ("rmsprop", "sgd"):
        p, q = table(), table()
        a = run(OPTIMIZERS[rule]([p], sparse=MODE, lr=0.01), p, gradients(20), dense=False, change=change)
        b = run(OPTIMIZERS[rule]([q], lr=0.01), q, gradients(20), dense=True, change=change)
        a.catch_up()
        assert difference(a, p, b, q) <= 1e-10


def test_rows_that_are_behind_are_behind_until_they_are_caught_up(path):
    p, q = table(), table()
    a = run(slalom.optim.Adam([p], sparse=MODE, lr=0.1), p, gradients(20), dense=False)
    run(slalom.optim.Adam([q], lr=0.1), q, gradients(20), dense=True)
    late = ((p - q).abs() > 1e-3).any(1)
    assert 0 < late.sum() < V
    row = int(late.nonzero()[0])
    a.catch_up(p, torch.tensor([[row, row], [row, 0]]))
    torch.testing.assert_close(p[row], q[row], rtol=0, atol=1e-12)
    assert ((p - q).abs() > 1e-3).any(1).sum() >= late.sum() - 2
    a.catch_up(p)
    torch.testing.assert_close(p, q, rtol=0, atol=1e-12)
    before = p._version
    a.catch_up()
    assert p._version == before  # nothing was written
