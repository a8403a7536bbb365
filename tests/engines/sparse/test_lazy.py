"""sparse="lazy": each touched row takes the step it would take alone, at its own count; the rest stay as they are."""

import pytest
import torch

import slalom.optim
from slalom.core.errors import BadValueError
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


@pytest.fixture(params=["compiled", "eager"])
def path(request, monkeypatch):
    if request.param == "eager":
        for module in (behind, lazy):
            monkeypatch.setattr(module, "compiled", lambda *_: None)
    return request.param


def rows_alone(rule, settings, start, grads, lrs):
    """Each row's path by the NumPy reference, over the steps that touched it alone."""
    made = start.copy()
    for r in range(len(start)):
        touched = [t for t, g in enumerate(grads) if r in g.coalesce().indices()[0]]
        mine = [grads[t].to_dense()[r].numpy() for t in touched]
        rates = [lrs[t] for t in touched]
        made[r] = REFERENCES[rule](start[r], lambda x, t, mine=mine: mine[t - 1], rates, **numbers(settings))[-1]
    return made


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_every_row_is_the_references_run_of_its_own_steps(rule, path):
    cases = chosen(rule)
    if path == "compiled":  # each is another program to compile
        cases = [cases[0], cases[-1]]
    grads = list(gradients(9))
    for case in cases:
        p, lr = table(), case.settings.values["lr"]
        start = p.detach().numpy().copy()
        optimizer = OPTIMIZERS[rule]([p], sparse="lazy", **arguments(case))
        run(optimizer, p, grads, dense=False, change=lambda group, t, lr=lr: group.update(lr=lr * schedule(t)))
        wanted = rows_alone(rule, case.settings, start, grads, [lr * schedule(t) for t in range(1, 10)])
        torch.testing.assert_close(
            p.detach(), torch.from_numpy(wanted), rtol=1e-10, atol=1e-10, msg=lambda m, c=case: f"{c}: {m}"
        )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_where_all_rows_are_touched_it_is_the_dense_step_to_the_bit(rule, dtype):
    p, q = table(dtype), table(dtype)
    full = [
        sparse(torch.randperm(V, generator=(g := torch.Generator().manual_seed(t))), torch.randn(V, W, generator=g, dtype=dtype))
        for t in range(8)
    ]
    a = run(OPTIMIZERS[rule]([p], sparse="lazy", weight_decay=0.1), p, full, dense=False)
    b = run(OPTIMIZERS[rule]([q], weight_decay=0.1), q, full, dense=True)
    # rows of a window are stepped by torch, the whole of it by the compiled step: a last bit apart
    assert difference(a, p, b, q) <= (4 * torch.finfo(dtype).eps if rule == "windowed_adadelta" else 0)


def test_it_agrees_with_sparse_adam_while_every_row_of_the_gradient_has_been_in_all():
    p, q = table(), table()
    grads = [sparse([1, 4, 4, 6], torch.randn(4, W, dtype=torch.float64)) for _ in range(10)]
    # SparseAdam adds eps to the uncorrected root, as the convention "tf" does.
    a = slalom.optim.Adam([p], sparse="lazy", lr=0.1, eps=1e-8, convention="tf")
    b = torch.optim.SparseAdam([q], lr=0.1)
    for g in grads:
        p.grad, q.grad = g, g.clone()
        a.step()
        b.step()
    torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)
    # A row that comes late takes a full first step of lr here; SparseAdam, which counts for the parameter as a whole, takes less.
    before = p[0].detach().clone()
    p.grad = q.grad = sparse([0], torch.ones(1, W, dtype=torch.float64))
    a.step()
    b.step()
    torch.testing.assert_close(before - p[0], torch.full((W,), 0.1, dtype=torch.float64), rtol=0, atol=1e-7)
    assert ((before - q[0]).detach() < 0.05).all()


@pytest.mark.parametrize(
    ("name", "arguments"), [("SGD", {"lr": 0.1}), ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.1})]
)
@pytest.mark.parametrize("mode", ["lazy", "dense-equivalent"])
def test_both_modes_equal_torch_where_torch_steps_sparse_gradients_exactly(name, arguments, mode, path):
    p, q = table(), table()
    a = run(getattr(slalom.optim, name)([p], sparse=mode, **arguments), p, gradients(20), dense=False)
    run(getattr(torch.optim, name)([q], **arguments), q, gradients(20), dense=False)
    torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)
    assert not a._behind or not a._behind[p].journal.count  # nothing is kept for what never moves


def test_decay_and_momentum_touch_what_the_gradient_touches(path):
    p = table()
    start = p.detach().clone()
    optimizer = slalom.optim.SGD([p], sparse="lazy", lr=0.1, momentum=0.5, weight_decay=0.2)
    g = sparse([2], torch.ones(1, W, dtype=torch.float64))
    run(optimizer, p, [g, sparse([3], torch.ones(1, W, dtype=torch.float64)), g], dense=False)
    first = start[2] - 0.1 * (1 + 0.2 * start[2])
    second = first - 0.1 * (0.5 * (1 + 0.2 * start[2]) + 1 + 0.2 * first)
    torch.testing.assert_close(p[2], second)
    assert torch.equal(p[[0, 1, *range(4, V)]], start[[0, 1, *range(4, V)]])
    assert optimizer.state[p]["row_step"].tolist() == [0, 0, 2, 1, 0, 0, 0, 0, 0]
    assert optimizer.state[p]["step"] == 3


def test_a_dense_gradient_after_sparse_ones_touches_all_rows_at_their_counts(path):
    grads = [*gradients(6), sparse(torch.arange(V), torch.ones(V, W, dtype=torch.float64)), *gradients(3, seed=1)]
    p, q = table(), table()
    a, b = (slalom.optim.NAdam([x], sparse="lazy", lr=0.1) for x in (p, q))
    for t, g in enumerate(grads):
        p.grad, q.grad = (g.to_dense() if t == 6 else g), g
        a.step()
        b.step()
    assert difference(a, p, b, q) <= 1e-12


def test_sparse_gradients_after_dense_ones_go_on_from_the_count_so_far():
    p, q = table(), table()
    a, b = slalom.optim.Adam([p], sparse="lazy", lr=0.1), slalom.optim.Adam([q], lr=0.1)
    for g in gradients(5):
        p.grad, q.grad = g.to_dense(), g.to_dense()
        a.step()
        b.step()
    assert "row_step" not in a.state[p]
    full = [sparse(torch.arange(V), torch.ones(V, W, dtype=torch.float64))] * 2
    run(a, p, full, dense=False)
    run(b, q, full, dense=True)
    assert difference(a, p, b, q) == 0


@pytest.mark.parametrize("name", ["Adam", "NAdam"])
def test_counts_of_rows_are_saved_and_loaded(name):
    p, q = table(), table()
    a = run(getattr(slalom.optim, name)([p], sparse="lazy", lr=0.1), p, gradients(7), dense=False)
    with torch.no_grad():
        q.copy_(p)
    b = getattr(slalom.optim, name)([q], sparse="lazy", lr=0.1)
    b.load_state_dict(a.state_dict())
    for o, x in ((a, p), (b, q)):
        run(o, x, gradients(7, seed=5), dense=False)
    assert difference(a, p, b, q) == 0
    for mode in (None, "dense-equivalent"):
        with pytest.raises(BadValueError, match=r"counts the steps of every row \(.*row_step\).* has sparse=.*load it into"):
            getattr(slalom.optim, name)([q], sparse=mode).load_state_dict(a.state_dict())
    for key, value, said in [
        ("row_step", torch.zeros(V - 1, dtype=torch.int32), "row_step of parameter 0 of group 0 has shape"),
        ("row_step", torch.full((V,), -1), "must be at least 0, got -1"),
        ("row_step", 3, r"has shape \(\), but needs one number a row"),
    ]:
        wrong = a.state_dict()
        wrong["state"] = {0: {**wrong["state"][0], key: value}}
        with pytest.raises(BadValueError, match=said):
            b.load_state_dict(wrong)
    if name == "NAdam":
        wrong["state"] = {0: {k: v for k, v in a.state_dict()["state"][0].items() if k != "row_mu_product"}}
        with pytest.raises(BadValueError, match="does not fit: missing row_mu_product"):
            b.load_state_dict(wrong)


def test_a_state_of_sparse_adams_loads():
    p, q = table(), table()
    b = torch.optim.SparseAdam([q], lr=0.1)
    run(b, q, gradients(5), dense=False)
    with torch.no_grad():
        p.copy_(q)
    a = slalom.optim.Adam([p], sparse="lazy", lr=0.1, convention="tf")
    a.load_state_dict(b.state_dict())
    last = sparse([0, 3], torch.ones(2, W, dtype=torch.float64))
    run(a, p, [last], dense=False)
    run(b, q, [last], dense=False)
    torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)


def test_the_mode_may_change_where_that_has_a_meaning():
    p, q = table(), table()
    a = run(slalom.optim.Adam([p], sparse="dense-equivalent", lr=0.1), p, gradients(7), dense=False)
    b = run(slalom.optim.Adam([q], lr=0.1), q, gradients(7), dense=True)
    a.param_groups[0]["sparse"] = "lazy"
    full = [sparse(torch.arange(V), torch.ones(V, W, dtype=torch.float64))]
    assert difference(run(a, p, full, dense=False), p, run(b, q, full, dense=True), q) <= 1e-12
    a.param_groups[0]["sparse"] = "dense-equivalent"
    with pytest.raises(BadValueError, match=r"have counts of their own.*keep sparse='lazy', or start a new optimizer"):
        run(a, p, full, dense=False)
    a.param_groups[0]["sparse"] = None
    with pytest.raises(BadValueError, match="must be dense"):
        run(a, p, full, dense=False)
    run(a, p, full, dense=True)
    assert (a.state[p]["row_step"] == 9).all()
