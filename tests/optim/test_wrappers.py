"""Wrappers around wrappers: they compose, save, load, copy, pickle and print as one optimizer."""

import io
import pickle
from copy import deepcopy

import pytest
import torch
from torch import nn

import slalom.optim
from slalom.core.errors import BadValueError
from slalom.optim import EMA, SGD, Accumulate, Adam, AdamW, Lookahead
from tests.optim.small import away, build, data, net, put, train, weights


def micro_batches(n):
    return list(zip(*(part.split(2) for part in data(2 * n)), strict=True))


def stack(model, cls=AdamW, **given):
    return Accumulate(Lookahead(build(cls, model, **given), k=2), every=3)


def test_all_three_are_the_loop_that_one_would_write():
    model, twin = net(), net()
    optimizer = stack(model)
    ema = EMA(optimizer, 0.5)
    train(model, optimizer, micro_batches(15))
    plain, slow, total = torch.optim.AdamW(twin.parameters(), lr=0.01), weights(twin), 0.0
    x, y = data(30)
    for step, part in enumerate(zip(x.split(6), y.split(6), strict=True), 1):
        train(twin, plain, [part])
        if step % 2 == 0:
            slow = (slow + weights(twin)) / 2
            put(slow, twin)
        total = 0.5 * total + 0.5 * weights(twin)
    assert away(weights(model), weights(twin)) <= 1e-12
    with ema.swapped():
        assert away(weights(model), total / (1 - 0.5**5)) <= 1e-12


@pytest.mark.parametrize("way", ["state dict", "reordered names", "pickle", "deepcopy"])
@pytest.mark.parametrize("cut", [3, 7, 10])
def test_a_run_goes_on_from_the_middle_to_the_bit(way, cut):
    model, straight = net(), net()
    train(straight, stack(straight, SGD, momentum=0.9), micro_batches(15))
    optimizer = stack(model, SGD, momentum=0.9)
    train(model, optimizer, micro_batches(15)[:cut])
    if way in ("pickle", "deepcopy"):
        pair = (model, optimizer)
        again, resumed = deepcopy(pair) if way == "deepcopy" else pickle.loads(pickle.dumps(pair))
        train(model, optimizer, micro_batches(15)[cut:])  # the copy does not follow
    else:
        file = io.BytesIO()
        torch.save((model.state_dict(), optimizer.state_dict()), file)
        file.seek(0)
        saved = torch.load(file, weights_only=True)
        again = net(7)
        again.load_state_dict(saved[0])
        named = list(again.named_parameters())
        inner = SGD(named[::-1] if way == "reordered names" else named, lr=3.0)
        resumed = Accumulate(Lookahead(inner, k=9, alpha=0.1), every=8)
        resumed.load_state_dict(saved[1])
    train(again, resumed, micro_batches(15)[cut:])
    assert torch.equal(weights(again), weights(straight))


def test_groups_state_and_defaults_are_the_inner_ones_also_after_loading():
    model = net()
    optimizer = stack(model)
    inner = optimizer.optimizer.optimizer
    for _ in range(2):
        assert optimizer.param_groups is inner.param_groups
        assert optimizer.state is inner.state
        assert optimizer.defaults is inner.defaults
        optimizer.load_state_dict(optimizer.state_dict())
    optimizer.add_param_group({"params": [("new", nn.Parameter(torch.zeros(2)))], "lr": 0.5})
    assert inner.param_groups[1]["lr"] == 0.5
    model[0].weight.grad = torch.ones_like(model[0].weight)
    optimizer.zero_grad()
    assert model[0].weight.grad is None
    with pytest.raises(BadValueError, match="did you mean 'weight_decay'"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(2))], "weight_decy": 0.5})


def test_state_dicts_are_torchs_with_an_entry_each_and_go_into_the_optimizer_alone():
    model = net()
    optimizer = stack(model)
    train(model, optimizer, micro_batches(4))
    saved = optimizer.state_dict()
    assert list(saved) == ["state", "param_groups", "lookahead", "accumulate"]
    assert (saved["accumulate"]["count"], saved["lookahead"]["count"]) == (1, 1)
    alone = torch.optim.AdamW(model.named_parameters())
    alone.load_state_dict({k: saved[k] for k in ("state", "param_groups")})
    with pytest.raises(BadValueError, match=r"has no 'accumulate', only .* load it into the optimizer within"):
        optimizer.load_state_dict(alone.state_dict())


def test_what_does_not_fit_is_refused_whole():
    model, other = net(), nn.Linear(5, 7).double()
    optimizer = Lookahead(Adam(model.parameters()), k=5)
    train(model, optimizer, micro_batches(2))
    saved = deepcopy(optimizer.state_dict())
    wrong = Lookahead(torch.optim.Adam(other.parameters()))
    with pytest.raises(BadValueError, match="parameter group 0 has 2 parameters, but the loaded one has 4"):
        wrong.load_state_dict(saved)
    saved["lookahead"]["slow"][0] = torch.zeros(9)
    with pytest.raises(BadValueError, match=r"slow weights of parameter 0 \(\(9,\)\) needs \(6, 5\)"):
        optimizer.load_state_dict(saved)
    assert optimizer.state_dict()["lookahead"]["count"] == 2


def test_hooks_run_on_the_level_that_they_are_registered_on():
    model = net()
    optimizer, seen = stack(model), []
    for level, o in (("a", optimizer), ("l", optimizer.optimizer), ("i", optimizer.optimizer.optimizer)):
        o.register_step_post_hook(lambda *_, level=level: seen.append(level))
        o.register_state_dict_post_hook(lambda _o, d, level=level: {**d, level: 1})
        o.register_load_state_dict_post_hook(lambda _o, level=level: seen.append(level.upper()))
    train(model, optimizer, micro_batches(3))
    assert seen == ["a", "a", "i", "l", "a"]
    saved = optimizer.state_dict()
    assert {"a", "l", "i"} < set(saved)
    seen.clear()
    optimizer.load_state_dict(saved)
    assert seen == ["I", "L", "A"]


def test_they_print_what_they_hold():
    shown = repr(stack(net(), SGD))
    assert shown.startswith("Accumulate (every=3, mean=True,\n    Lookahead (k=2, alpha=0.5, momentum='keep',\n        SGD (\n")
    assert "            Parameter Group 0" not in shown
    assert "        Parameter Group 0\n" in shown
    assert shown.endswith("\n        )\n    )\n)")


def test_they_are_public():
    assert {"EMA", "Accumulate", "Lookahead"} <= set(slalom.optim.__all__)
