"""Saving, loading, copying: what fits continues bit for bit, what does not is refused whole."""

import io
import itertools
import pickle
from copy import deepcopy

import pytest
import torch
from torch import nn

import slalom.optim
from slalom.core.errors import BadValueError

EVERY = [getattr(slalom.optim, n) for n in slalom.optim.__all__ if hasattr(getattr(slalom.optim, n), "rule")]
every = pytest.mark.parametrize("cls", EVERY, ids=lambda c: c.__name__)


def net(*sizes, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(*(nn.Linear(a, b) for a, b in itertools.pairwise(sizes)))


def train(model, optimizer, steps, start=0):
    for i in range(start, start + steps):
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(i))
        optimizer.zero_grad()
        (model(x) - x[:, :2]).square().mean().backward()
        optimizer.step()


def numbers(model):
    return [p.detach().clone() for p in model.parameters()]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def options(cls):
    return {"momentum": 0.9} if cls is slalom.optim.SGD else {}


@every
def test_a_saved_and_loaded_run_goes_on_bit_for_bit(cls):
    # In float32, through a file that is loaded without pickled code.
    model = net(4, 5, 2)
    optimizer = cls(model.parameters(), **options(cls))
    train(model, optimizer, 5)
    file = io.BytesIO()
    torch.save({"net": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    train(model, optimizer, 5, start=5)
    other = net(4, 5, 2, seed=1)
    other.load_state_dict(saved["net"])
    restored = cls(other.parameters())
    for p in other.parameters():
        p.grad = torch.ones_like(p)
    restored.load_state_dict(saved["optimizer"])
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in other.parameters())
    train(other, restored, 5, start=5)
    assert same(numbers(other), numbers(model))


@every
@pytest.mark.parametrize("copy", [deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["deepcopy", "pickle"])
def test_copies_go_on_alone(cls, copy):
    model = net(4, 5, 2)
    optimizer = cls(model.parameters(), lr=1e-3, **options(cls))
    train(model, optimizer, 3)
    model2, optimizer2 = copy((model, optimizer))
    assert type(optimizer2) is cls
    before = numbers(model)
    train(model2, optimizer2, 4, start=3)
    assert same(numbers(model), before)
    train(model, optimizer, 4, start=3)
    assert same(numbers(model), numbers(model2))
    optimizer2.add_param_group({"params": [nn.Parameter(torch.zeros(1))]})
    assert optimizer2.param_groups[1]["lr"] == 1e-3


@every
def test_states_are_torch_where_torch_has_the_rule(cls):
    if not cls.rule.torch_name:
        pytest.skip("torch has no such rule")
    made = []
    for kind in (cls, getattr(torch.optim, cls.__name__)):
        model = net(4, 2)
        optimizer = kind(model.parameters(), **options(cls))
        train(model, optimizer, 1)
        made.append({k: v for k, v in optimizer.state_dict()["state"][0].items() if v is not None})
    mine, torchs = made
    assert set(mine) - set(torchs) <= ({"step"} if cls is slalom.optim.SGD else set())
    assert set(torchs) <= set(mine)
    assert all(mine[k].shape == torchs[k].shape for k in torchs)
    assert mine["step"].dtype == torch.float32


def test_loading_copies_and_does_not_share():
    model = net(4, 2)
    optimizer = slalom.optim.Adam(model.parameters())
    train(model, optimizer, 1)
    other = slalom.optim.Adam(net(4, 2).parameters())
    other.load_state_dict(optimizer.state_dict())
    p, q = (o.param_groups[0]["params"][0] for o in (optimizer, other))
    kept = other.state[q]["exp_avg"].clone()
    train(model, optimizer, 1)
    assert torch.equal(other.state[q]["exp_avg"], kept)
    assert not torch.equal(optimizer.state[p]["exp_avg"], kept)


def test_state_of_another_shape_is_refused_and_nothing_changes():
    # torch's fused Adam takes it and reads past the end (optimizers.md, 1c.3).
    small, large = net(4, 3), net(4, 5)
    optimizer, other = slalom.optim.Adam(small.parameters()), slalom.optim.Adam(large.parameters(), lr=0.5)
    small(torch.ones(4)).sum().backward()
    optimizer.step()
    with pytest.raises(BadValueError, match=r"adam: the loaded exp_avg of parameter 0 of group 0 has shape \(3, 4\)"):
        other.load_state_dict(optimizer.state_dict())
    assert not other.state
    assert other.param_groups[0]["lr"] == 0.5


def loaded(change, cls=slalom.optim.Adam, **kwargs):
    model = net(4, 2)
    optimizer = slalom.optim.Adam(model.parameters())
    train(model, optimizer, 1)
    saved = optimizer.state_dict()
    change(saved)
    made = cls(net(4, 2).parameters(), **kwargs)
    made.load_state_dict(saved)
    return made


def test_what_is_missing_and_what_is_surplus_is_listed():
    def lose(saved):
        del saved["state"][1]["exp_avg"], saved["state"][1]["step"]
        saved["state"][1]["momentum"] = torch.zeros(2)

    said = r"adam: the loaded state of parameter 1 of group 0 does not fit: missing exp_avg, step; surplus momentum \(known"
    with pytest.raises(BadValueError, match=said):
        loaded(lose)
    with pytest.raises(BadValueError, match=r"parameter 0 of group 0 does not fit: missing exp_avg_sq \(known"):
        loaded(lambda saved: saved["state"][0].pop("exp_avg_sq"))
    with pytest.raises(BadValueError, match=r"sgd: .* surplus exp_avg, exp_avg_sq"):
        loaded(lambda saved: None, slalom.optim.SGD)
    for change, said in [
        (lambda s: s["state"][0].update(exp_avg=torch.zeros(2, 4, dtype=torch.int64)), "exp_avg .* is torch.int64"),
        (lambda s: s["state"][0].update(exp_avg=torch.zeros(2, 4, dtype=torch.complex64)), "exp_avg .* is torch.complex64"),
        (lambda s: s["param_groups"].append(s["param_groups"][0]), "has 2 parameter groups, but this optimizer has 1"),
        (lambda s: s["param_groups"][0]["params"].pop(), "has 2 parameters, but the loaded one has 1"),
        (lambda s: s["param_groups"][0].update(betas=(0.9, 2.0)), r"betas\[1\] must be .*group 0 of the loaded state"),
        (lambda s: s.pop("state"), "a state dict has the keys 'state' and 'param_groups'"),
    ]:
        with pytest.raises(BadValueError, match=said):
            loaded(change)


def test_what_loading_tolerates():
    # An older or foreign group lacks arguments; a torch group says fused; types of floats differ; the step is a number.
    def change(saved):
        group = saved["param_groups"][0]
        del group["convention"], group["maximize"]
        group.update(fused=True, name="mine")
        saved["state"][0].update(step=7, exp_avg=torch.ones(2, 4, dtype=torch.float64))

    made = loaded(change, convention="tf")
    group = made.param_groups[0]
    assert (group["convention"], group["maximize"], group["fused"], group["name"]) == ("tf", False, None, "mine")
    state = made.state[group["params"][0]]
    assert (state["step"], state["exp_avg"].dtype) == (7, torch.float32)


def test_named_parameters_are_matched_by_name_in_any_order():
    model = net(4, 3, 2)
    optimizer = slalom.optim.Adam(model.named_parameters())
    train(model, optimizer, 2)
    other = net(4, 3, 2)
    turned = slalom.optim.Adam(list(other.named_parameters())[::-1])
    turned.load_state_dict(optimizer.state_dict())
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(optimizer.state[a]["exp_avg"], turned.state[b]["exp_avg"])
    assert turned.param_groups[0]["param_names"] == ["1.bias", "1.weight", "0.bias", "0.weight"]
    grown = slalom.optim.Adam(net(4, 3, 3, 2).named_parameters())
    with pytest.raises(BadValueError, match=r"of other parameters: missing 2.weight, 2.bias$"):
        grown.load_state_dict(optimizer.state_dict())
    with pytest.raises(BadValueError, match=r"of other parameters: surplus 2.weight, 2.bias$"):
        turned.load_state_dict(grown.state_dict())


def test_load_hooks_run():
    seen = []
    optimizer = slalom.optim.SGD(net(4, 2).parameters())
    optimizer.register_load_state_dict_pre_hook(lambda o, s: seen.append("before") or {**s, "param_groups": s["groups"]})
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append(o.param_groups[0]["lr"]))
    saved = slalom.optim.SGD(net(4, 2).parameters(), lr=0.75).state_dict()
    optimizer.load_state_dict({"state": saved["state"], "groups": saved["param_groups"]})
    assert seen == ["before", 0.75]
