"""State dicts, copies and hooks, in the manner of torch's own exam."""

from __future__ import annotations

import io
import pickle
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

import slalom.optim
from slalom.core.errors import BadValueError
from tests.optim.exam.infos import class_of
from tests.optim.exam.tools import makers, parameters, set_gradients, stepped

SHAPES = [(3, 4), (5,)]


def pair(name: str, kwargs: dict[str, Any], steps: int = 3) -> tuple[Any, list[nn.Parameter]]:
    """An optimizer that has stepped, and its parameters."""
    params = parameters(*SHAPES)
    return stepped(lambda params: class_of(name)(params, **deepcopy(kwargs)), params, steps), params


def twin_of(params: list[nn.Parameter]) -> list[nn.Parameter]:
    return [nn.Parameter(p.detach().clone()) for p in params]


def go_on_alike(a: Any, b: Any, steps: int = 3) -> bool:
    """Whether both end at the same bits after further steps."""
    for i in range(steps):
        for optimizer in (a, b):
            set_gradients([p for g in optimizer.param_groups for p in g["params"]], 20 + i)
            optimizer.step()
    pairs = [zip(g["params"], h["params"], strict=True) for g, h in zip(a.param_groups, b.param_groups, strict=True)]
    return all(torch.equal(p, q) for z in pairs for p, q in z)


def same(a: Any, b: Any) -> bool:
    """Whether two state dicts are equal, tensors by their numbers."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(a == b)


def test_a_state_dict_is_the_same_after_the_way_there_and_back(name: str) -> None:
    for desc, kwargs in makers(name):
        optimizer, params = pair(name, kwargs)
        saved = deepcopy(optimizer.state_dict())
        assert len(saved["state"]) == 2
        assert all(v for v in saved["state"].values()), "no state is empty"
        other = class_of(name)(twin_of(params))
        other.load_state_dict(saved)
        assert same(saved, optimizer.state_dict()), "loading has changed what was loaded"
        assert same(other.state_dict(), saved), desc
        assert go_on_alike(optimizer, other), desc
        assert same(other.state_dict(), optimizer.state_dict()), desc
        # a group listed twice reads the same twice
        other.param_groups.extend(other.param_groups)
        assert same(other.state_dict()["param_groups"][-1], optimizer.state_dict()["param_groups"][-1])


def test_older_dicts_lack_flags_and_newer_ones_have_more(name: str) -> None:
    optimizer, params = pair(name, {"lr": 0.01})
    saved = deepcopy(optimizer.state_dict())
    for flag in ("maximize", "differentiable", "foreach", "fused", "capturable", "weight_decay"):
        saved["param_groups"][0].pop(flag, None)
    saved["param_groups"][0]["a_newer_flag"] = 3
    saved["more"] = {"epoch": 7}
    other = class_of(name)(twin_of(params), lr=0.01)
    other.load_state_dict(saved)
    assert other.param_groups[0]["a_newer_flag"] == 3
    assert go_on_alike(optimizer, other)


def test_the_count_of_steps_may_be_a_number(name: str) -> None:
    optimizer, params = pair(name, {})
    saved = deepcopy(optimizer.state_dict())
    for state in saved["state"].values():
        state["step"] = state["step"].item()
    other = class_of(name)(twin_of(params))
    other.load_state_dict(saved)
    assert torch.is_tensor(other.state_dict()["state"][0]["step"])
    assert go_on_alike(optimizer, other)


def test_files_are_loaded_without_pickled_code(name: str) -> None:
    for _, kwargs in makers(name):
        optimizer, params = pair(name, kwargs)
        file = io.BytesIO()
        torch.save(optimizer.state_dict(), file)
        file.seek(0)
        other = class_of(name)(twin_of(params))
        other.load_state_dict(torch.load(file, weights_only=True))
        assert same(other.state_dict(), optimizer.state_dict())


def test_a_state_follows_the_dtype_of_its_parameter(name: str) -> None:
    optimizer, params = pair(name, {"lr": 0.01})
    narrow = [nn.Parameter(p.detach().float()) for p in params]
    other = class_of(name)(narrow)
    other.load_state_dict(optimizer.state_dict())
    declared = {s.torch or n: s for n, s in other.rule.states.items()}
    for p in narrow:
        assert all(v.dtype == torch.float32 for k, v in other.state[p].items() if k in declared and not declared[k].scalar)
    for i in range(2):
        for o, group in ((optimizer, params), (other, narrow)):
            set_gradients(group, 2 * i)
            o.step()
    for p, q in zip(params, narrow, strict=True):
        torch.testing.assert_close(q.double(), p, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("named", [(True, True), (True, False), (False, True)], ids=["both", "saved", "loading"])
def test_names_on_either_side(name: str, named: tuple[bool, bool]) -> None:
    net, other = nn.Linear(4, 3).double(), nn.Linear(4, 3).double()
    other.load_state_dict(net.state_dict())

    def given(model: nn.Module, names: bool) -> Any:
        return model.named_parameters() if names else model.parameters()

    first = stepped(class_of(name), given(net, named[0])) if not named[0] else class_of(name)(given(net, True))
    set_gradients(list(net.parameters()), 4)
    first.step()
    other.load_state_dict(net.state_dict())
    second = class_of(name)(given(other, named[1]))
    second.load_state_dict(first.state_dict())
    assert ("param_names" in second.param_groups[0]) is (named[1] or named[0])
    assert go_on_alike(first, second)


def test_a_changed_model_is_told_what_is_missing_and_what_is_surplus(name: str) -> None:
    old, new = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    saved = class_of(name)(old.named_parameters()).state_dict()
    new = nn.Sequential()
    new.add_module("0", nn.Linear(2, 2))
    new.add_module("head", nn.Linear(2, 2))
    optimizer = class_of(name)(new.named_parameters(), lr=0.125)
    with pytest.raises(BadValueError, match=r"missing head.weight, head.bias; surplus 1.weight, 1.bias"):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] == 0.125
    with pytest.raises(BadValueError, match="has 4 parameters, but the loaded one has 2; the model has changed"):
        class_of(name)(new.parameters()).load_state_dict(class_of(name)(nn.Linear(2, 2).parameters()).state_dict())


def test_copies_have_every_public_attribute_and_go_on(name: str) -> None:
    for copy in (deepcopy, lambda o: pickle.loads(pickle.dumps(o))):
        optimizer, _ = pair(name, {"lr": 0.01})
        other = copy(optimizer)
        assert {k for k in vars(optimizer) if not k.startswith("_")} == {k for k in vars(other) if not k.startswith("_")}
        assert same(other.state_dict(), optimizer.state_dict())
        assert go_on_alike(optimizer, other)


def test_step_hooks_own_and_global_run_in_torchs_order(name: str) -> None:
    (p,) = parameters((2,))
    optimizer = class_of(name)([p], lr=0.01)
    p.grad = torch.ones_like(p)
    seen: list[str] = []
    handles = [
        register_optimizer_step_pre_hook(lambda *_: seen.append("all before")),
        register_optimizer_step_post_hook(lambda *_: seen.append("all after")),
        optimizer.register_step_pre_hook(lambda *_: seen.append("before")),
        optimizer.register_step_post_hook(lambda *_: seen.append("after")),
    ]
    optimizer.step()
    assert seen == ["all before", "before", "after", "all after"]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(seen) == 4

    def hand_over(optimizer: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
        return (args[0], lambda: seen.append("closure")), {}

    with optimizer.register_step_pre_hook(hand_over):
        optimizer.step()
    assert seen[4:] == ["closure"]


def test_state_dict_hooks_run_and_may_replace(name: str) -> None:
    optimizer, params = pair(name, {})
    seen: list[str] = []
    handles = [
        optimizer.register_state_dict_pre_hook(lambda o: seen.append("saving")),
        optimizer.register_state_dict_post_hook(lambda o, d: {**d, "note": "mine"}),
        optimizer.register_state_dict_post_hook(lambda o, d: seen.append(d["note"])),
    ]
    saved = optimizer.state_dict()
    assert seen == ["saving", "mine"]
    assert saved["note"] == "mine"
    for handle in handles:
        handle.remove()
    other = class_of(name)(twin_of(params))
    other.register_load_state_dict_pre_hook(lambda o, d: seen.append(d["note"]))
    other.register_load_state_dict_post_hook(lambda o: seen.append("loaded"), prepend=True)
    other.load_state_dict(saved)
    assert seen[2:] == ["mine", "loaded"]
    assert go_on_alike(optimizer, other)


def test_an_optimizer_is_freed_when_the_last_name_of_it_goes() -> None:
    import gc
    import weakref

    optimizer, params = pair("Adam", {})
    gone = weakref.ref(optimizer)
    gc.collect()
    gc.disable()
    try:
        del optimizer
        assert gone() is None, "a cycle keeps it"
    finally:
        gc.enable()
    assert params


def test_names_of_wrapped_models_are_those_of_the_model() -> None:
    net = nn.Linear(2, 2)
    plain = slalom.optim.Adam(net.named_parameters())
    set_gradients(list(net.parameters()), 0)
    plain.step()
    for prefix in ("module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod."):
        wrapped = slalom.optim.Adam([(prefix + n, p) for n, p in net.named_parameters()][::-1])
        wrapped.load_state_dict(plain.state_dict())
        for p in net.parameters():
            assert torch.equal(wrapped.state[p]["exp_avg"], plain.state[p]["exp_avg"])
        back = slalom.optim.Adam(list(net.named_parameters()))
        back.load_state_dict(wrapped.state_dict())
        assert back.param_groups[0]["param_names"] == ["weight", "bias"]
        for p in net.parameters():
            assert torch.equal(back.state[p]["exp_avg"], plain.state[p]["exp_avg"])
    inner = [("weight", "_orig_mod.weight"), ("bias", "_checkpoint_wrapped_module._orig_mod.bias")]
    partly = slalom.optim.Adam([(n, dict(net.named_parameters())[k]) for k, n in inner])
    partly.load_state_dict(plain.state_dict())
    assert torch.equal(partly.state[net.bias]["exp_avg"], plain.state[net.bias]["exp_avg"])
    # a prefix that only some have, or that leaves two of one name, is a name like any other
    with pytest.raises(BadValueError, match=r"missing module\.weight; surplus weight"):
        slalom.optim.Adam([("module.weight", net.weight), ("bias", net.bias)]).load_state_dict(plain.state_dict())
