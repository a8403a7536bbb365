"""Lookahead against its algorithm written out in float64 NumPy, with every rule and torch's own optimizers."""

import numpy as np
import pytest
import torch
from torch import nn

from slalom.core.errors import BadValueError
from slalom.optim import SGD, Accumulate, Adam, Lookahead
from tests.optim.small import OURS, TORCHS, away, build, data, loss, net, put, train, weights


def batches(n):
    return list(zip(*(part.split(4) for part in data(4 * n)), strict=True))


@pytest.mark.parametrize("momentum", ["keep", "reset", "pullback"])
@pytest.mark.parametrize("alpha", [0.5, 0.8])
def test_against_the_algorithm_in_numpy(alpha, momentum):
    # Zhang et al. 2019, Algorithm 1, around heavy-ball SGD on a quadratic; the buffer's three fates as in the authors' code
    curvature, k, lr, mu = np.array([1.0, 10.0, 3.0]), 3, 0.05, 0.9
    slow = x = np.array([1.0, -2.0, 0.5])
    v = kept = np.zeros(3)
    p = nn.Parameter(torch.tensor(x))
    optimizer = Lookahead(SGD([p], lr=lr, momentum=mu), k=k, alpha=alpha, momentum=momentum)
    for step in range(1, 14):
        v = mu * v + curvature * x
        x = x - lr * v
        if step % k == 0:
            slow = x = slow + alpha * (x - slow)
            v = {"keep": v, "reset": 0 * v, "pullback": kept + alpha * (v - kept)}[momentum]
            kept = v
        p.grad = torch.tensor(curvature) * p.detach()
        optimizer.step()
        np.testing.assert_allclose(p.detach().numpy(), x, rtol=1e-12, atol=1e-15)
        with optimizer.swapped():
            np.testing.assert_allclose(p.detach().numpy(), slow, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(p.detach().numpy(), x, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("cls", [*OURS, *TORCHS], ids=lambda c: f"{c.__module__.split('.')[0]}.{c.__name__}")
def test_with_every_rule_it_is_the_rule_with_the_weights_pulled_back(cls):
    model, twin = net(), net()
    optimizer, plain = Lookahead(build(cls, model), k=3), build(cls, twin)
    train(model, optimizer, batches(8))
    slow = weights(twin)
    for step, part in enumerate(batches(8), 1):
        train(twin, plain, [part])
        if step % 3 == 0:
            slow = (slow + weights(twin)) / 2
            put(slow, twin)
    assert away(weights(model), weights(twin)) <= 1e-12
    assert away(weights(model), weights(net())) > 1e-4


def test_alpha_of_one_is_the_optimizer_alone_and_weights_loaded_between_cycles_count():
    model, twin = net(), net()
    train(model, Lookahead(build(Adam, model), alpha=1.0), batches(12))
    train(twin, build(Adam, twin), batches(12))
    assert torch.equal(weights(model), weights(twin))
    p = nn.Parameter(torch.tensor([0.0]))
    optimizer = Lookahead(torch.optim.SGD([p], lr=1.0), k=1)
    with torch.no_grad():
        p.fill_(5.0)  # as a checkpoint would, after the optimizer was built
    p.grad = torch.ones(1)
    optimizer.step()
    assert p.item() == 4.5


def test_closures_schedulers_and_a_group_that_joins_in_mid_cycle():
    model, late = net(), nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = Lookahead(torch.optim.SGD(model.parameters(), lr=0.1), k=3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, total_steps=10, cycle_momentum=False)
    (part,) = batches(1)

    def closure():
        optimizer.zero_grad()
        value = loss(model, *part) + late.sum()
        value.backward()
        return value

    first = optimizer.step(closure).item()
    assert first == pytest.approx((loss(net(), *part) + 1).item())
    scheduler.step()
    optimizer.add_param_group({"params": [late], "lr": 0.25})
    optimizer.step(closure)
    assert late.item() == 0.75
    optimizer.step(closure)
    assert late.item() == 0.75  # halfway between 1, where it joined, and 0.5


@pytest.mark.parametrize("amp", [False, True], ids=["scaler unscales", "inside the step"])
def test_a_step_that_the_scaler_leaves_out_does_not_count(amp):
    p, q = (nn.Parameter(torch.tensor([0.0, 1.0])) for _ in range(2))
    inner = torch.optim.Adam([p], lr=0.5, fused=amp)
    optimizer = Lookahead(inner, k=2)
    plain = Lookahead(torch.optim.Adam([q], lr=0.5), k=2)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    assert optimizer._step_supports_amp_scaling is amp
    for factor in (1.0, float("inf"), -3.0, 0.5, float("inf")):
        optimizer.zero_grad()
        scaler.scale((p * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        if abs(factor) < 9:
            q.grad = torch.full_like(q, factor)
            plain.step()
    assert torch.allclose(p, q, rtol=1e-5)
    assert inner.state[p]["step"] == 3
    assert not hasattr(inner, "found_inf")


def test_bad_settings_are_named():
    model = net()
    for given, said in [
        ({"k": 0}, "k must be a whole number >= 1, got 0"),
        ({"k": True}, "k must be a whole number >= 1, got True"),
        ({"alpha": 0}, r"alpha must be a number in \(0, 1\], got 0"),
        ({"alpha": 1.5}, r"alpha must be a number in \(0, 1\], got 1.5"),
        ({"momentum": "none"}, "momentum must be one of 'keep', 'reset', 'pullback', got 'none'"),
    ]:
        with pytest.raises(BadValueError, match=f"Lookahead: {said}"):
            Lookahead(build(Adam, model), **given)
    with pytest.raises(BadValueError, match=r"write Accumulate\(Lookahead"):
        Lookahead(Accumulate(build(Adam, model)))
    with pytest.raises(BadValueError, match="there is one around this optimizer already"):
        Lookahead(Lookahead(build(Adam, model)))
    optimizer = Lookahead(build(Adam, model), k=1, momentum="reset")
    with pytest.raises(BadValueError, match="needs an optimizer with a 'momentum_buffer' in its state, which Adam does not have"):
        train(model, optimizer, batches(1))
