"""A gradient's entries by row: against NumPy's sort and sums and torch's coalesce, and the steps along them."""

import numpy as np
import pytest
import torch

import slalom.optim
from slalom.core.errors import BadValueError
from slalom.engines.sparse import groups
from slalom.engines.sparse.gradient import read
from tests.engines.sparse.twins import run, sparse

MODES = ["lazy", "dense-equivalent"]


@pytest.fixture(params=["sorted in C", "without a compiler"])
def sorting(request, monkeypatch):
    if request.param == "without a compiler":
        monkeypatch.setattr(groups, "_library", lambda: None)
    return request.param


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def indices(kind):
    """[1, n] of 5000 rows."""
    g = generator()
    return {
        "one": lambda: torch.tensor([4999]),
        "none": lambda: torch.empty(0, dtype=torch.int64),
        "rising": lambda: torch.arange(0, 5000, 7),
        "falling": lambda: torch.arange(4999, -1, -3),
        "one row 4096 times": lambda: torch.full((4096,), 1234),
        "the first row alone": lambda: torch.zeros(3, dtype=torch.int64),
        "many twice": lambda: torch.randint(0, 5000, (4096,), generator=g),
        "few very often": lambda: torch.randint(0, 5000, (4096,), generator=g) % 3 * 2000,
    }[kind]()[None]


KINDS = ["one", "none", "rising", "falling", "one row 4096 times", "the first row alone", "many twice", "few very often"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_rise_and_entries_are_summed_in_their_order(kind, dtype, sorting):
    at = indices(kind)
    g = torch.sparse_coo_tensor(at, torch.randn(at.shape[1], 5, dtype=dtype, generator=generator(1)), (5000, 5))
    found, wanted = read(g, torch.empty(5000, 5, dtype=dtype), "Adam"), g.coalesce()
    assert torch.equal(found.rows, wanted.indices()[0])
    torch.testing.assert_close(found.values, wanted.values(), rtol=1e-3 if dtype == torch.float32 else 1e-12, atol=0)
    if sorting == "sorted in C":
        summed = np.zeros((5000, 5), g._values().numpy().dtype)
        np.add.at(summed, at[0].numpy(), g._values().numpy())
        assert np.array_equal(found.values.numpy(), summed[found.rows.numpy()])
    if found.groups is not None:  # entries of equal rows in the order in which they stood
        assert found.groups.order.tolist() == np.argsort(at[0].numpy(), kind="stable").tolist()
        first, order = found.groups
        for row, begin, end in zip(found.rows, first[:-1], first[1:], strict=True):
            assert (at[0][order[begin:end]] == row).all()


def test_rows_of_many_axes_whose_numbers_pass_32_bits(sorting):
    lead = (2**20, 2**10, 2**12)
    at = torch.stack([torch.randint(0, n, (300,), generator=generator(k)) for k, n in enumerate(lead)])
    at = torch.cat([at, at.flip(1)[:, :100]], 1)
    p = torch.empty(1, dtype=torch.float64).expand(*lead)  # takes no memory
    found = read(torch.sparse_coo_tensor(at, torch.ones(400, dtype=torch.float64), lead), p, "Adam")
    numbers, counts = np.unique(np.ravel_multi_index(at.numpy(), lead), return_counts=True)
    assert found.rows.tolist() == numbers.tolist()
    assert found.values[:, 0].tolist() == counts.tolist()


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize(("axis", "wrong"), [(0, -1), (0, 4), (1, 3), (1, 2**40)])
def test_an_index_outside_its_axis_is_named(axis, wrong, marked, sorting):
    at = torch.tensor([[0, 1, 2], [0, 1, 2]])
    at[axis, 1] = wrong
    g = torch.sparse_coo_tensor(at, torch.ones(3, 2), (4, 3, 2), check_invariants=False)._coalesced_(marked)
    p = torch.nn.Parameter(torch.zeros(4, 3, 2))
    with pytest.raises(BadValueError, match=rf"has the index {wrong} on axis {axis}, which must be in \[0, {(4, 3)[axis]}\)"):
        read(g, p, "Adam")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("width", [1, 5, 512, 1500])
def test_a_row_that_is_repeated_is_stepped_once_along_the_sum(width, mode, sorting):
    # In float64, wide rows in pieces; the sum in the order of the entries, whatever the threads.
    at = torch.cat([torch.full((200,), 3), torch.tensor([0, 5, 0])])
    grads = [torch.sparse_coo_tensor(at[None], torch.randn(203, width, dtype=torch.float64, generator=generator(t)), (6, width))
             for t in range(4)]  # fmt: skip
    start = torch.randn(6, width, dtype=torch.float64, generator=generator(9))
    p, q, many = (torch.nn.Parameter(start.clone()) for _ in range(3))
    settings = {"momentum": 0.9, "lr": 0.1}
    run(slalom.optim.SGD([p], sparse=mode, **settings), p, grads, dense=False).catch_up()
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        run(slalom.optim.SGD([many], sparse=mode, **settings), many, grads, dense=False).catch_up()
    finally:
        torch.set_num_threads(before)
    assert torch.equal(p, many)
    torch_run = torch.optim.SGD([q], **settings)
    for g in grads:
        q.grad = g.to_dense()
        torch_run.step()
    rows = [0, 3, 5]  # lazy leaves the others where they are, and here so does the dense run
    torch.testing.assert_close(p[rows], q[rows], rtol=1e-13, atol=1e-13)
    assert torch.equal(p[[1, 2, 4]], start[[1, 2, 4]])


@pytest.mark.parametrize("mode", MODES)
def test_plain_descent_is_torchs_own_sparse_step(mode, sorting):
    start = torch.randn(50, 7, dtype=torch.float64, generator=generator(2))
    p, q = (torch.nn.Parameter(start.clone()) for _ in range(2))
    a, b = slalom.optim.SGD([p], lr=0.1, sparse=mode), torch.optim.SGD([q], lr=0.1)
    for t in range(5):
        at = torch.randint(0, 50, (40,), generator=generator(t))
        p.grad = q.grad = sparse(at, torch.randn(40, 7, dtype=torch.float64, generator=generator(t)), (50, 7))
        a.step()
        b.step()
    torch.testing.assert_close(p, q, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_layers_whose_indices_have_32_or_64_bits(dtype, sorting):
    layers = [torch.nn.Embedding(9, 3, sparse=s, dtype=torch.float64) for s in (True, False)]
    layers[1].load_state_dict(layers[0].state_dict())
    for layer in layers:
        optimizer = slalom.optim.Adam(layer.parameters(), sparse="dense-equivalent" if layer.sparse else None, lr=0.1)
        for words in ([3, 1, 3, 3], [8, 3, 0, 0]):
            optimizer.zero_grad()
            layer(torch.tensor(words, dtype=dtype)).square().sum().backward()
            optimizer.step()
        optimizer.catch_up()
    torch.testing.assert_close(layers[0].weight, layers[1].weight, rtol=1e-12, atol=1e-12)


def test_entries_that_lie_oddly_in_memory(sorting):
    # Values spread from one number, as the gradient of a sum has them, and indices that are a column of a matrix.
    at = torch.tensor([[3, 0], [1, 0], [3, 0]]).T[:1]
    p, q = (torch.nn.Parameter(torch.zeros(5, 4)) for _ in range(2))
    p.grad = torch.sparse_coo_tensor(at, torch.ones(1).expand(3, 4), (5, 4))
    q.grad = p.grad.to_dense()
    slalom.optim.SGD([p], lr=0.1, sparse="lazy").step()
    slalom.optim.SGD([q], lr=0.1).step()
    assert torch.equal(p, q)
