"""Making an optimizer: what is refused and in which words, groups, defaults, names, subclasses."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn

import slalom.optim
from tests.optim.exam.infos import NAMES, TWINS, class_of, infos, metadata
from tests.optim.exam.tools import makers, parameters, set_gradients


def test_records_are_torchs_own_kind() -> None:
    assert list(infos()) == NAMES
    assert all(isinstance(i, metadata().OptimizerInfo) and i.name == n for n, i in infos().items())
    assert {i.name for i in metadata().optim_db} >= set(TWINS)
    for name in NAMES:  # torch's rule for its own records
        for _, kwargs in makers(name):
            assert not {"foreach", "fused", "differentiable"} & set(kwargs), name


def test_error_inputs_raise_and_say_what_is_wrong(name: str) -> None:
    inputs = infos()[name].optim_error_inputs_func("cpu", torch.float32)
    assert len(inputs) >= 7
    for wrong in inputs:
        given = wrong.optimizer_error_input
        assert wrong.error_on is metadata().OptimizerErrorEnum.CONSTRUCTION_ERROR
        params = given.params if given.params is not None else parameters((1,))
        if issubclass(wrong.error_type, Warning):
            with pytest.warns(wrong.error_type, match=wrong.error_regex):
                class_of(name)(params, **given.kwargs)
        else:
            with pytest.raises(wrong.error_type, match=wrong.error_regex):
                class_of(name)(params, **given.kwargs)


@pytest.mark.parametrize(
    ("params", "kind", "said"),
    [
        ([], ValueError, "empty parameter list"),
        ([torch.ones(2, requires_grad=True) * 2], ValueError, "non-leaf"),
        ([1.5], TypeError, "Tensors"),
        ([{"lr": 0.1}], KeyError, "params"),
        ([{"params": {nn.Parameter(torch.ones(2))}}], TypeError, "order"),
    ],
    ids=["nothing", "not a leaf", "no tensor", "group without params", "group of a set"],
)
def test_what_is_no_list_of_parameters_is_refused_as_by_torch(params: Any, kind: type[Exception], said: str) -> None:
    for cls in (slalom.optim.Adam, torch.optim.Adam):
        with pytest.raises(kind, match=said):
            cls(params)


def test_every_way_to_give_parameters(name: str) -> None:
    cls, net = class_of(name), nn.Linear(3, 2)
    p, q = net.parameters()
    for given in ([p, q], (p, q), iter([p, q]), {"a": p, "b": q}.values(), net.parameters(), nn.ParameterList([p, q])):
        assert cls(given).param_groups[0]["params"] == [p, q]
    assert cls([{"params": p}, {"params": iter([q]), "lr": 0.5}]).param_groups[1]["lr"] == 0.5
    named = cls(net.named_parameters())
    assert named.param_groups[0]["param_names"] == ["weight", "bias"]
    assert named.param_groups[0]["params"] == [p, q]
    groups = [{"params": [("w", p)]}, {"params": [("b", q)], "lr": 0.25}]
    assert [g["param_names"] for g in cls(groups).param_groups] == [["w"], ["b"]]
    frozen = torch.ones(2)  # torch takes parameters that need no gradient, and so do we
    assert cls([p, frozen]).param_groups[0]["params"] == [p, frozen]


def test_it_can_be_printed(name: str) -> None:
    text = repr(class_of(name)([{"params": parameters((2,))}, {"params": parameters((3,)), "lr": 0.123}]))
    assert text.startswith(f"{name} (\nParameter Group 0")
    assert "lr: 0.123" in text
    assert "weight_decay" in text


def test_a_group_s_rate_and_decay_are_its_own(name: str) -> None:
    cls = class_of(name)
    p, q = parameters((3,), (3,))
    with torch.no_grad():
        q.copy_(p)
    optimizer = cls([{"params": [p], "lr": 0.0}, {"params": [q]}], lr=0.1, weight_decay=0.0)
    before = p.detach().clone()
    p.grad, q.grad = torch.ones_like(p), torch.ones_like(q)
    optimizer.step()
    assert torch.equal(p, before)
    assert not torch.equal(q, before)
    a, b, c = (nn.Parameter(before.clone()) for _ in range(3))
    both = cls([{"params": [a], "weight_decay": 0.5}, {"params": [b]}], lr=0.1, weight_decay=0.0)
    alone = cls([c], lr=0.1, weight_decay=0.5)
    for _ in range(3):
        for x in (a, b, c):
            x.grad = torch.full_like(x, 0.1)
        both.step()
        alone.step()
    assert torch.equal(a, c)
    assert not torch.equal(a, b)


def test_a_group_added_late_takes_the_defaults_of_that_moment(name: str) -> None:
    p, q, r = parameters((2,), (3,), (3,))
    with torch.no_grad():
        r.copy_(q)
    optimizer = class_of(name)([p], lr=0.1)
    set_gradients([p], 0)
    optimizer.step()
    optimizer.defaults["lr"] = 0.25
    optimizer.add_param_group({"params": [q], "weight_decay": 0.0})
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.25]
    fresh = class_of(name)([r], lr=0.25, weight_decay=0.0)
    for i in range(2, 5):
        set_gradients([q], i)
        set_gradients([r], i)
        optimizer.step()
        fresh.step()
    assert torch.equal(q, r)
    with pytest.raises(ValueError, match="more than one parameter group"):
        optimizer.add_param_group({"params": [p]})
    with pytest.raises(TypeError, match="must be a dict"):
        optimizer.add_param_group([p])  # type: ignore[arg-type]


def test_a_users_subclass_is_an_optimizer_like_any(name: str) -> None:
    parent: Any = class_of(name)

    class Counting(parent):  # type: ignore[misc]
        def __init__(self, params: Any, start: int, **kwargs: Any) -> None:
            super().__init__(params, **kwargs)
            self.count = start

        def step(self, closure: Any = None) -> Any:
            self.count += 1
            return super().step(closure)

    (p,), (q,) = parameters((4,)), parameters((4,))
    mine, plain = Counting([p], 5, lr=0.01), parent([q], lr=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(mine, 1, 0.5)
    for i in range(3):
        for x, optimizer in ((p, mine), (q, plain)):
            set_gradients([x], i)
            optimizer.step()
        scheduler.step()
        plain.param_groups[0]["lr"] *= 0.5
    assert mine.count == 8
    assert torch.equal(p, q)
    assert isinstance(mine, torch.optim.Optimizer)


def test_duplicates_in_a_group_step_as_often_as_in_torch() -> None:
    for cls in (slalom.optim.SGD, torch.optim.SGD):
        (p,) = parameters((2,))
        before = p.detach().clone()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer = cls([p, p], lr=0.5)
        p.grad = torch.ones_like(p)
        optimizer.step()
        torch.testing.assert_close(p.detach(), before - 1.0)
