"""Every form a sparse gradient may have: any number of indexed axes, 1-D values, complex, odd layouts, empty, repeated, wrong."""

import pytest
import torch

import slalom.optim
from slalom.core.errors import BadValueError
from slalom.engines.sparse import behind, lazy
from slalom.engines.sparse.gradient import read
from tests.engines.sparse.twins import V, W, difference, gradients, run, sparse, table

MODES = ["lazy", "dense-equivalent"]


@pytest.fixture(params=["compiled", "eager"])
def path(request, monkeypatch):
    if request.param == "eager":
        for module in (behind, lazy):
            monkeypatch.setattr(module, "compiled", lambda *_: None)
    return request.param


def filled(shape, sparse_dim, seed, dtype=torch.float64, every=False):
    """A COO gradient with that many indexed axes; some rows twice; `every`: all rows, so that both modes are the dense run."""
    g = torch.Generator().manual_seed(seed)
    lead = shape[:sparse_dim]
    rows = (
        torch.cartesian_prod(*(torch.arange(n) for n in lead)).reshape(-1, sparse_dim).T if every else torch.empty(sparse_dim, 0)
    )
    more = torch.stack([torch.randint(0, n, (4,), generator=g) for n in lead])
    indices = torch.cat([rows.long(), more], 1)
    return torch.sparse_coo_tensor(indices, torch.randn(indices.shape[1], *shape[sparse_dim:], generator=g, dtype=dtype), shape)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("shape", "sparse_dim"), [((7,), 1), ((5, 4), 2), ((5, 3, 2), 1), ((4, 3, 2), 2), ((3, 2, 2), 3), ((6, 1), 1), ((4, 700), 1)]
)
@pytest.mark.parametrize("name", ["NAdam", "SGD"])
def test_indices_may_run_over_any_axes(shape, sparse_dim, name, mode, path):
    p, q = table(shape=shape), table(shape=shape)
    more = {"momentum": 0.9, "weight_decay": 0.1} if name == "SGD" else {}
    a, b = (getattr(slalom.optim, name)([x], lr=0.1, sparse=mode if x is p else None, **more) for x in (p, q))
    grads = [filled(shape, sparse_dim, t, every=mode == "lazy") for t in range(6)]
    run(a, p, grads, dense=False).catch_up()
    assert difference(a, p, run(b, q, grads, dense=True), q) <= 1e-10
    if mode == "lazy":
        assert a.state[p]["row_step"].shape == shape[:sparse_dim]
        if len(shape) > 1:
            with pytest.raises(BadValueError, match="keep sparse_dim the same"):
                run(a, p, [filled(shape, len(shape) if sparse_dim == 1 else 1, 0)], dense=False)


def test_the_indexed_axes_may_change_where_all_rows_catch_up_first(path):
    p, q = table(shape=(4, 3)), table(shape=(4, 3))
    grads = [filled((4, 3), 1 + t // 3 % 2, t) for t in range(12)]
    a = run(slalom.optim.Adam([p], sparse="dense-equivalent", lr=0.1), p, grads, dense=False)
    b = run(slalom.optim.Adam([q], lr=0.1), q, grads, dense=True)
    a.catch_up(p, torch.tensor([[0, 3], [1, 2]]))
    torch.testing.assert_close(p[[0, 3], [1, 2]], q[[0, 3], [1, 2]], rtol=0, atol=1e-12)
    with pytest.raises(BadValueError, match=r"rows must be within \(4, 3\)"):
        a.catch_up(p, torch.tensor([[0], [3]]))
    with pytest.raises(BadValueError, match=r"rows must be \[2, ...\], an index an axis, got shape \(2,\)"):
        a.catch_up(p, torch.tensor([0, 3]))
    a.catch_up()
    assert difference(a, p, b, q) <= 1e-10


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.complex128, torch.complex64])
def test_complex_parameters_are_two_real_ones(dtype, mode, path):
    p, q = (torch.nn.Parameter(torch.complex(table(), table().flip(0)).to(dtype)) for _ in range(2))
    a, b = slalom.optim.Adam([p], sparse=mode, lr=0.1), slalom.optim.Adam([q], lr=0.1)
    grads = [filled((V, W), 1, t, dtype, every=mode == "lazy") for t in range(6)]
    run(a, p, grads, dense=False).catch_up()
    assert difference(a, p, run(b, q, grads, dense=True), q) <= (1e-10 if dtype == torch.complex128 else 1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("odd", ["transposed", "sliced", "bfloat16", "float16"])
def test_what_compiled_code_does_not_step_is_stepped_all_the_same(odd, mode):
    dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(odd, torch.float64)
    p, q = table(dtype), table(dtype)
    if odd == "transposed":
        p = torch.nn.Parameter(table().detach().T.contiguous().T)
    if odd == "sliced":
        p = torch.nn.Parameter(torch.cat([table().detach(), torch.ones(V, 2, dtype=dtype)], 1)[:, :W])
        assert not p.is_contiguous()
    a, b = (slalom.optim.RMSprop([x], sparse=mode if x is p else None, momentum=0.9, eps=1e-3) for x in (p, q))
    grads = [filled((V, W), 1, t, dtype, every=mode == "lazy").coalesce() for t in range(6)]
    run(a, p, grads, dense=False).catch_up()
    assert difference(a, p, run(b, q, grads, dense=True), q) <= (0.02 if dtype.itemsize == 2 else 1e-10)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (0,)])
def test_parameters_without_numbers_are_counted_and_left(shape, mode, path):
    p = torch.nn.Parameter(torch.empty(shape))
    optimizer = slalom.optim.NAdam([p], sparse=mode)
    rows = [] if shape[0] == 0 else [1, 3]
    run(optimizer, p, [sparse(rows, torch.empty(len(rows), *shape[1:]), shape)] * 2, dense=False).catch_up()
    optimizer.state_dict()
    assert optimizer.state[p]["step"] == 2


@pytest.mark.parametrize("mode", MODES)
def test_a_gradient_that_touches_nothing_is_a_step_of_the_parameter_alone(mode, path):
    p, q = table(), table()
    a, b = slalom.optim.NAdam([p], sparse=mode, lr=0.1), slalom.optim.NAdam([q], lr=0.1)
    one, none = sparse([4], torch.ones(1, W, dtype=torch.float64)), sparse([], torch.ones(0, W, dtype=torch.float64))
    for g in (one, none, none, one):
        p.grad, q.grad = g, g.to_dense()
        a.step()
        if mode != "lazy" or g is one:
            b.step()
    a.catch_up()
    torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)
    assert a.state[p]["step"] == 4


@pytest.mark.parametrize("mode", MODES)
def test_the_gradient_itself_is_never_changed(mode, path):
    p = table()
    optimizer = slalom.optim.SGD([p], sparse=mode, momentum=0.9, nesterov=True, maximize=True, weight_decay=0.1)
    p.grad = sparse([3, 1, 3], torch.arange(9.0, dtype=torch.float64).view(3, W))
    optimizer.step()
    assert torch.equal(p.grad._indices(), torch.tensor([[3, 1, 3]]))
    assert torch.equal(p.grad._values(), torch.arange(9.0, dtype=torch.float64).view(3, W))


@pytest.mark.parametrize("mode", MODES)
def test_a_gradient_may_lie_in_the_parameters_own_memory(mode, path):
    p, q = table(), table()
    for x, values in ((p, p.data[1:3]), (q, q.data[1:3].clone())):
        x.grad = sparse([2, 4], values)._coalesced_(True)
        slalom.optim.SGD([x], sparse=mode, lr=0.1).step()
    assert torch.equal(p, q)


@pytest.mark.parametrize("mode", MODES)
def test_climbing_is_descending_along_the_negated_gradient(mode, path):
    p, q = table(), table()
    up, down = slalom.optim.Adam([p], sparse=mode, maximize=True), slalom.optim.Adam([q], sparse=mode)
    run(up, p, gradients(6), dense=False)
    run(down, q, [-g for g in gradients(6)], dense=False)
    assert torch.equal(p, q)


def test_rows_after_dense_gradients_and_dense_gradients_after_rows(path):
    p, q = table(), table()
    a, b = slalom.optim.AdamW([p], sparse="dense-equivalent", lr=0.1), slalom.optim.AdamW([q], lr=0.1)
    for t, g in enumerate(gradients(20)):
        p.grad, q.grad = (g.to_dense() if t % 5 < 2 else g), g.to_dense()
        a.step()
        b.step()
    a.catch_up()
    assert difference(a, p, b, q) <= 1e-10


def test_a_coo_gradient_that_is_falsely_marked_as_coalesced_is_not_trusted(path):
    p, q = table(), table()
    a = slalom.optim.Adam([p], sparse="lazy", lr=0.1)
    b = slalom.optim.Adam([q], sparse="lazy", lr=0.1)
    g = sparse([5, 2, 5], torch.ones(3, W, dtype=torch.float64))
    p.grad, q.grad = g.coalesce(), g.clone()._coalesced_(True)
    a.step()
    b.step()
    assert torch.equal(p, q)
    with torch.sparse.check_sparse_tensor_invariants(False):
        beyond = torch.sparse_coo_tensor(torch.tensor([[2, V]]), torch.ones(2, W, dtype=torch.float64), (V, W))._coalesced_(True)
    for mode in MODES:
        optimizer = slalom.optim.Adam([q], sparse=mode)
        q.grad = beyond
        with pytest.raises(BadValueError, match=rf"has the index {V} on axis 0, which must be in \[0, {V}\)"):
            optimizer.step()


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_what_cannot_be_stepped_is_refused_with_the_reason():
    p = table()
    with pytest.raises(BadValueError, match=r"must be dense or torch.sparse_coo, got torch.sparse_csr"):
        read(p.detach().to_sparse_csr(), p, "Adam")
    with pytest.raises(BadValueError, match=r"must be torch.float64 on cpu of that shape, got torch.float32 on cpu of \(9, 2\)"):
        read(torch.ones(V, 2).to_sparse(), p, "Adam")
    with pytest.raises(BadValueError, match="sparse without an axis that indices run over"):
        read(torch.tensor(1.0).to_sparse(), torch.tensor(1.0), "Adam")
    p.grad = sparse([1], torch.ones(1, W, dtype=torch.float64))
    with pytest.raises(BadValueError, match="differentiable=True needs dense gradients"):
        slalom.optim.Adam([p], sparse="lazy", differentiable=True).step()
    with pytest.raises(BadValueError, match="stochastic_rounding=True needs dense gradients"):
        slalom.optim.Adam([p], sparse="lazy", stochastic_rounding=True, state_dtype=torch.bfloat16).step()
    for settings in ({"eps": 0.0}, {"eps": 0.0, "convention": "tf"}):
        with pytest.raises(BadValueError, match=r"the dense run would turn every row .* into NaN \(0/0\); set eps above 0"):
            slalom.optim.Adam([p], sparse="dense-equivalent", **settings).step()
        slalom.optim.Adam([p], sparse="lazy", **settings).step()
    assert p.isfinite().all()
    optimizer = slalom.optim.Adam([p], sparse="dense-equivalent")
    optimizer.step()
    for rows, said in [
        (torch.tensor([0, V]), rf"rows must be in \[0, {V}\), got {V}"),
        (torch.tensor([-1]), rf"rows must be in \[0, {V}\), got -1"),
        (torch.tensor([0.5]), "rows must be whole numbers, got torch.float32"),
    ]:
        with pytest.raises(BadValueError, match=said):
            optimizer.catch_up(p, rows)
    with pytest.raises(BadValueError, match=r"Adam.catch_up: a tensor of shape .* is none of its parameters"):
        optimizer.catch_up(table())
    with pytest.raises(BadValueError, match="rows are a parameter's"):
        optimizer.catch_up(rows=torch.tensor([0]))


@pytest.mark.parametrize("mode", MODES)
def test_clipping_and_the_scaler_count_rows_too(mode, path):
    p, q = [table(), table()], [table(), table()]
    a, b = slalom.optim.SGD(p, sparse=mode, lr=0.1, clip_grad_norm=0.5), slalom.optim.SGD(q, lr=0.1, clip_grad_norm=0.5)
    for o in (a, b):
        o.grad_scale, o.found_inf = torch.tensor(4.0), torch.tensor(0.0)
    for g in gradients(5):
        p[0].grad, q[0].grad = g, g.to_dense()
        p[1].grad = q[1].grad = torch.ones(V, W, dtype=torch.float64)
        a.step()
        b.step()
        torch.testing.assert_close(a.grad_norm, b.grad_norm)
    a.catch_up()
    torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-10)
