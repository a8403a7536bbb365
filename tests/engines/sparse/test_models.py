"""Training a small text model on sparse gradients, table followed, is dense training; and what else users do with it."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

import slalom.optim
from slalom.core.errors import BadValueError
from tests.engines.sparse.twins import OPTIMIZERS, gradients, run, sparse, table

MODE = "dense-equivalent"
TOKENS = 20


class Text(nn.Module):
    """Two tables, one looked up and one averaged in bags, and a linear layer."""

    def __init__(self, sparse: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(TOKENS, 4, sparse=sparse, padding_idx=0)
        self.bags = nn.EmbeddingBag(TOKENS, 4, sparse=sparse, mode="mean")
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        both = torch.cat([self.words(x).mean(1), self.bags(input=x)], 1)
        return self.out(torch.tanh(both))


def model(sparse: bool) -> Text:
    torch.manual_seed(0)
    return Text(sparse).double()


def batches(steps, seed=1):
    g = torch.Generator().manual_seed(seed)
    for t in range(steps):
        low, high = (0, 6) if t % 3 else (4, TOKENS - 3)  # so that rows rest for a while, and some for ever
        yield torch.randint(low, high, (5, 3), generator=g), torch.randint(0, 2, (5,), generator=g)


def train(net, optimizer, steps=15, seed=1, scheduler=None):
    losses = []
    for x, y in batches(steps, seed):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        losses.append(loss.item())
    return losses


def close(a, b):
    for (name, p), q in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-10, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_training_with_the_tables_followed_is_dense_training(rule):
    a, b = model(True), model(False)
    more = {"weight_decay": 0.05, "lr": 0.02, **({"momentum": 0.9} if rule == "sgd" else {})}
    one, two = OPTIMIZERS[rule](a.parameters(), sparse=MODE, **more), OPTIMIZERS[rule](b.parameters(), **more)
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(o, 15) for o in (one, two)]
    one.follow(a)
    mine, dense = train(a, one, scheduler=schedules[0]), train(b, two, scheduler=schedules[1])
    assert a.words.weight.grad.is_sparse
    assert not b.words.weight.grad.is_sparse
    torch.testing.assert_close(mine, dense, rtol=1e-10, atol=1e-10)
    assert (one._behind[a.words.weight].seen < one._behind[a.words.weight].journal.end).any()
    close(a, b)  # the tables' own state_dict catches them up


def test_without_following_the_model_reads_stale_rows():
    a, b = model(True), model(False)
    one, two = slalom.optim.Adam(a.parameters(), sparse=MODE, lr=0.1), slalom.optim.Adam(b.parameters(), lr=0.1)
    followed = one.follow(a)
    followed.remove()
    assert abs(train(a, one)[-1] - train(b, two)[-1]) > 1e-3
    with one.follow(a), pytest.raises(BadValueError, match=r"rows must be in \[0, 20\), got 20"):
        a(torch.tensor([[20, 1]]))
    assert not a.words._forward_pre_hooks


def test_lazy_training_leaves_the_rest_of_the_model_to_the_fused_step():
    net = model(True)
    optimizer = slalom.optim.AdamW(net.parameters(), sparse="lazy", lr=0.05)
    losses = [train(net, optimizer, 1)[0] for _ in range(30)]  # the same batch each time
    assert losses[-1] < 0.1 * losses[0]
    assert len(optimizer._plans[0].params) == 2
    kept = optimizer._plans[0]
    train(net, optimizer, 2)
    assert optimizer._plans[0] is kept


def test_there_must_be_something_to_follow():
    net = model(True)
    for given in ({"sparse": "lazy"}, {}):
        with pytest.raises(BadValueError, match=r"Adam.follow: Text has no nn.Embedding .* sparse='dense-equivalent'"):
            slalom.optim.Adam(net.parameters(), **given).follow(net)


def test_modes_are_a_groups_own():
    net = model(True)
    optimizer = slalom.optim.Adam(
        [{"params": net.words.parameters(), "sparse": "lazy"}, {"params": net.bags.parameters(), "sparse": MODE}]
    )
    train(net, optimizer, 3)
    assert "row_step" in optimizer.state[net.words.weight]
    assert list(optimizer._behind) == [net.bags.weight]
    with pytest.raises(
        BadValueError, match=r"sparse must be one of None, 'lazy', 'dense-equivalent', got 'eager' \(parameter group 1\)"
    ):
        slalom.optim.Adam([{"params": [table()]}, {"params": [table()], "sparse": "eager"}])
    with pytest.raises(BadValueError, match="sparse must be one of None, 'lazy', 'dense-equivalent', got True"):
        slalom.optim.Adam([table()], sparse=True)


def test_saving_catches_up_and_loading_goes_on_as_the_dense_run():
    a, b, c = model(True), model(False), model(True)
    one, two = slalom.optim.NAdam(a.parameters(), sparse=MODE, lr=0.1), slalom.optim.NAdam(b.parameters(), lr=0.1)
    one.follow(a)
    train(a, one)
    train(b, two)
    saved = pickle.loads(pickle.dumps(one.state_dict()))
    for k, cell in two.state_dict()["state"].items():  # nothing in it tells that gradients were sparse
        assert set(cell) == set(saved["state"][k])
        for name, x in cell.items():
            torch.testing.assert_close(saved["state"][k][name], x, rtol=1e-10, atol=1e-10)
    three = slalom.optim.NAdam(c.parameters(), sparse=MODE, lr=0.1)
    three.follow(c)
    train(c, three, 4)
    c.load_state_dict(a.state_dict())
    three.load_state_dict(saved)
    assert three.param_groups[0]["sparse"] == MODE
    train(c, three, seed=2)
    train(b, two, seed=2)
    close(c, b)
    dense = slalom.optim.NAdam(b.parameters(), lr=0.1)
    dense.load_state_dict(three.state_dict())
    assert dense.param_groups[0]["sparse"] is None


@pytest.mark.parametrize("copied", ["pickle", "deepcopy", "torch.save"])
@pytest.mark.parametrize("mode", ["lazy", MODE])
def test_a_copy_of_model_and_optimizer_goes_on_as_the_original(copied, mode):
    p = table()
    optimizer = run(slalom.optim.RMSprop([p], sparse=mode, lr=0.1, momentum=0.9), p, gradients(9), dense=False)
    p.grad = None
    if copied == "pickle":
        q, other = pickle.loads(pickle.dumps((p, optimizer)))
    elif copied == "deepcopy":
        q, other = copy.deepcopy((p, optimizer))
    else:
        file = io.BytesIO()
        torch.save((p, optimizer), file)
        file.seek(0)
        q, other = torch.load(file, weights_only=False)
    assert other.param_groups[0]["params"][0] is q
    assert q is not p
    run(other, q, gradients(9, seed=4), dense=False).catch_up()
    run(optimizer, p, gradients(9, seed=4), dense=False).catch_up()
    assert torch.equal(p, q)
    for key, x in optimizer.state[p].items():
        assert torch.equal(other.state[q][key], x)


@pytest.mark.parametrize("mode", ["lazy", MODE])
def test_an_error_in_a_later_group_leaves_all_as_it_was(mode):
    p, q = table(), table()
    optimizer = slalom.optim.Adam([{"params": [p]}, {"params": [q], "sparse": None}], sparse=mode, lr=0.1)
    start = p.detach().clone()
    p.grad = q.grad = sparse([1, 2], torch.ones(2, 3, dtype=torch.float64))
    with pytest.raises(
        BadValueError, match=r"Adam: the gradient .* must be dense, got torch.sparse_coo; .*'lazy' .*'dense-equivalent'"
    ):
        optimizer.step()
    assert torch.equal(p, start)
    q.grad = None
    optimizer.step()
    assert optimizer.state[p]["step"] == 1
    assert not torch.equal(p, start)


def test_a_closure_is_called_and_its_loss_returned():
    net = nn.Embedding(4, 2, sparse=True)
    for mode in ("lazy", MODE):
        optimizer = slalom.optim.Adam(net.parameters(), sparse=mode)

        def closure(optimizer=optimizer):
            optimizer.zero_grad()
            loss = net(torch.tensor([1, 2, 2])).square().sum()
            loss.backward()
            return loss

        assert optimizer.step(closure).item() > 0
        assert optimizer.state[net.weight]["step"] == 1
