"""Accumulate equals one large batch, whatever the loop around it does; a flush, a scaler, a scheduler."""

import pytest
import torch
from torch import nn

from slalom.core.errors import BadValueError
from slalom.optim import SGD, Accumulate, Adam, AdamW, Lookahead
from tests.optim.small import OURS, TORCHS, away, build, data, loss, net, train, weights


def one_large(cls, steps, **given):
    model = net()
    x, y = data(8 * steps)
    train(model, build(cls, model, **given), zip(x.split(8), y.split(8), strict=True))
    return weights(model)


LOOPS = [(c, "optimizer") for c in (*OURS, *TORCHS)] + [(c, z) for c in (SGD, Adam) for z in ("model", "to zero", "never")]


@pytest.mark.parametrize(("cls", "zeroing"), LOOPS, ids=lambda x: x if isinstance(x, str) else f"{x.__module__}.{x.__name__}")
def test_four_micro_batches_are_one_batch_however_gradients_are_cleared(cls, zeroing):
    model = net()
    optimizer = Accumulate(build(cls, model), every=4)
    x, y = data(8 * 5)
    real = 0
    for part in zip(x.split(2), y.split(2), strict=True):
        if zeroing == "optimizer":
            optimizer.zero_grad()
        elif zeroing == "model":
            model.zero_grad()
        elif zeroing == "to zero":
            optimizer.zero_grad(set_to_none=False)
        loss(model, *part).backward()
        optimizer.step()
        real += optimizer.stepped
    assert real == 5
    assert away(weights(model), one_large(cls, 5)) <= 1e-9
    assert away(weights(model), weights(net())) > 1e-4


def test_the_sum_and_a_flush_of_the_last_few():
    model, twin = net(), net()
    optimizer, plain = (
        Accumulate(SGD(model.parameters(), lr=0.1), every=4, mean=False),
        torch.optim.SGD(twin.parameters(), lr=0.1),
    )
    x, y = data(6)
    assert not optimizer.flush()
    train(model, optimizer, zip(x.split(1), y.split(1), strict=True))
    assert optimizer.pending == 2
    assert optimizer.flush()
    assert optimizer.stepped
    assert optimizer.pending == 0
    for part in ((x[:4], y[:4]), (x[4:], y[4:])):
        plain.zero_grad()
        (loss(twin, *part) * len(part[0])).backward()
        plain.step()
    assert away(weights(model), weights(twin)) <= 1e-14
    mean, twin = net(), net()
    optimizer, plain = Accumulate(SGD(mean.parameters(), lr=0.1), every=4), torch.optim.SGD(twin.parameters(), lr=0.1)
    train(mean, optimizer, [(x[4:5], y[4:5]), (x[5:], y[5:])])
    optimizer.flush()
    train(twin, plain, [(x[4:], y[4:])])
    assert away(weights(mean), weights(twin)) <= 1e-14


def test_a_parameter_that_some_micro_batches_do_not_reach_and_one_that_none_does():
    p, q, r = (nn.Parameter(torch.tensor([1.0])) for _ in range(3))
    optimizer = Accumulate(SGD([p, q, r], lr=1.0, weight_decay=0.5), every=2)
    p.grad, q.grad = torch.tensor([0.5]), torch.tensor([1.0])
    optimizer.step()
    p.grad = torch.tensor([0.5])
    optimizer.step()
    assert [x.item() for x in (p, q, r)] == [0.0, 0.0, 1.0]


def test_schedulers_that_follow_real_steps_see_what_they_would_of_large_batches():
    model, twin = net(), net()
    optimizer, plain = Accumulate(build(AdamW, model), every=2), build(AdamW, twin)
    schedulers = [torch.optim.lr_scheduler.StepLR(o, 2, 0.1) for o in (optimizer, plain)]
    x, y = data(24)
    for part in zip(x.split(2), y.split(2), strict=True):
        train(model, optimizer, [part])
        if optimizer.stepped:
            schedulers[0].step()
    for part in zip(x.split(4), y.split(4), strict=True):
        train(twin, plain, [part])
        schedulers[1].step()
    assert schedulers[0].last_epoch == 6
    assert optimizer.param_groups[0]["lr"] == plain.param_groups[0]["lr"]
    assert away(weights(model), weights(twin)) <= 1e-12


def test_bfloat16_gradients_are_summed_in_float32():
    p = nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
    optimizer = Accumulate(torch.optim.SGD([p], lr=1.0), every=257, mean=False)
    for g in [256.0, *[1.0] * 256]:
        p.grad = torch.tensor([g], dtype=torch.bfloat16)
        optimizer.step()
    assert p.item() == -512.0  # in bfloat16 256 + 1 is 256


def test_sparse_gradients_add_up():
    table = nn.Embedding(6, 2, sparse=True, dtype=torch.float64)
    before = table.weight.detach().clone()
    optimizer = Accumulate(torch.optim.SGD(table.parameters(), lr=1.0), every=2)
    for row in (1, 4):
        table(torch.tensor([row])).sum().backward()
        optimizer.step()
    before[[1, 4]] -= 0.5
    assert torch.equal(table.weight, before)


def test_a_micro_batch_that_overflows_is_left_out_and_scales_may_differ():
    p = nn.Parameter(torch.tensor([0.0]))
    optimizer = Accumulate(Lookahead(SGD([p], lr=1.0), k=1, alpha=1.0), every=2)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=1)
    for factor in (1.0, float("inf"), 4.0):
        optimizer.zero_grad()
        scaler.scale((p * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert optimizer.stepped
    assert p.item() == -2.5


def test_closures_and_bad_settings_are_refused():
    model = net()
    optimizer = Accumulate(build(Adam, model))
    with pytest.raises(BadValueError, match="Accumulate: step takes no closure"):
        optimizer.step(lambda: 1.0)
    for given, said in [
        ({"every": 0}, r"every must be a whole number >= 1, got 0"),
        ({"every": 2.0}, r"every must be a whole number >= 1, got 2.0"),
        ({"mean": 1}, r"mean must be True or False, got 1"),
    ]:
        with pytest.raises(BadValueError, match=f"Accumulate: {said}"):
            Accumulate(build(Adam, model), **given)
    with pytest.raises(BadValueError, match=r"Accumulate: optimizer must be a torch.optim.Optimizer, got Sequential"):
        Accumulate(model)
