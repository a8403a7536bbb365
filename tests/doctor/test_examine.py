"""Whole examinations: small runs with one fault each, their healthy twin, and everything an Examination gives."""

import copy
import json
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import slalom
from slalom.core.errors import BadDataError, BadValueError
from slalom.doctor import LABELS

N = 160


def ring(seed=0):
    """Two classes, one around the other."""
    rng = np.random.default_rng(seed)
    r = np.where(np.arange(N) % 2 == 0, 0.6, 1.6) + rng.normal(0, 0.12, N)
    a = rng.uniform(0, 2 * np.pi, N)
    x = torch.tensor(np.stack([r * np.cos(a), r * np.sin(a)], 1), dtype=torch.float32)
    return x, torch.arange(N) % 2


def net(act=nn.ReLU, width=24, last=None):
    torch.manual_seed(1)
    layers = [nn.Linear(2, width), act(), nn.Linear(width, width), act(), nn.Linear(width, 2)]
    return nn.Sequential(*layers, *([] if last is None else [last]))


def adam(lr):
    return lambda m: torch.optim.Adam(m.parameters(), lr=lr)


def examined(model=None, loss=F.cross_entropy, optimizer=None, change=lambda x, y: (x, y), **more):
    x, y = change(*ring())
    xv, yv = ring(1)
    given = {"train": (x, y), "val": (xv, yv), "batch_size": 16, "epochs": 20} | more
    return slalom.examine(net() if model is None else model, loss, optimizer or adam(0.01), **given)


def test_a_healthy_run_is_healthy_and_costs_no_experiment():
    e = examined()
    assert e.healthy
    assert (e.findings, e.labels, e.first_step, e.branches) == ((), [], None, ())
    assert e.steps == 200
    assert e.overhead > 0
    assert min(e.skill) > 0.9
    assert "healthy" in str(e)


def without(lr):
    return lambda m: torch.optim.Adam(list(m.parameters())[2:], lr=lr)


def holed(x, y):
    x = x.clone()
    x[17, 1] = float("nan")
    return x, y


def off(model):
    with torch.no_grad():
        model[0].bias.fill_(-10)
        model[2].bias.fill_(-10)
    return model


@pytest.mark.parametrize(
    ("label", "given"),
    [
        ("nonfinite_data", {"change": holed}),
        ("params_not_training", {"optimizer": without(0.01)}),
        ("loss_output_mismatch", {"model": net(last=nn.Softmax(1))}),
        ("lr_too_low", {"optimizer": adam(1e-6)}),
        ("missing_nonlinearity", {"model": net(nn.Identity)}),
        ("lr_too_high", {"optimizer": adam(3.0)}),
        ("dead_relu", {"model": off(net())}),  # and not a model that is too small, which new weights would mend too
    ],
)
def test_a_fault_is_named_first(label, given):
    e = examined(**given)
    first = e.findings[0]
    assert e.labels[0] == first.label == label
    assert not e.healthy
    assert first.remedy == LABELS[label].remedy
    assert first.evidence
    assert all(figure.crossed for figure in first.evidence[:1])
    assert 0 < first.confidence <= 1
    assert 0 <= e.first_step <= (4 if LABELS[label].static else e.steps // 2)
    assert label in str(e)
    told = json.loads(json.dumps(e.to_dict(), allow_nan=False))
    assert told["labels"][0] == label
    assert told["findings"][0]["evidence"][0]["words"]


def test_nothing_of_the_caller_s_is_changed():
    model = net()
    x, y = ring()
    before, kept = copy.deepcopy(model.state_dict()), (x.clone(), y.clone())
    model.eval()
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    slalom.examine(model, F.cross_entropy, adam(1e-6), train=(x, y), epochs=4)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not model.training
    assert torch.equal(x, kept[0])
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()  # noqa: NPY002
    assert random.getstate() == states[2]
    assert not any(m._forward_hooks for m in model.modules())


def test_the_same_again_and_from_loaders():
    x, y = ring()
    one = slalom.examine(net(), F.cross_entropy, adam(0.01), train=(x, y), batch_size=16, epochs=8)
    loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
    two = slalom.examine(net(), F.cross_entropy, adam(0.01), train=loader, val=DataLoader(TensorDataset(x, y)), epochs=8)
    again = slalom.examine(net(), F.cross_entropy, adam(0.01), train=(x, y), batch_size=16, epochs=8)
    assert one.curves == again.curves
    assert len(two.curves.loss) == len(one.curves.loss)
    assert "DataLoader" in two.notes[0]


def test_without_a_budget_there_are_no_experiments():
    assert examined(optimizer=adam(1e-6), budget=0, epochs=4).branches == ()


def test_a_loss_that_raises_on_these_outputs_is_a_finding():
    e = examined(change=lambda x, y: (x, y + 1), val=None)
    assert e.labels == ["loss_output_mismatch"]
    assert "out of bounds" in str(e)


def test_a_model_that_raises_is_a_clear_error():
    with pytest.raises(BadDataError, match=r"examine: model raised RuntimeError at step 0: mat1 and mat2"):
        examined(change=lambda x, y: (x[:, :1], y), val=None)


def test_a_bad_budget_is_named():
    with pytest.raises(BadValueError, match="budget must be a number >= 0"):
        examined(budget=-1)


def test_an_optimizer_of_another_model_is_never_stepped():
    model = net()
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    before = copy.deepcopy(model.state_dict())
    e = examined(model=model, optimizer=lambda m: torch.optim.SGD(model.parameters(), lr=1.0), epochs=2)
    assert e.labels == ["params_not_training"]
    assert e.first_step == 0
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(bool((p.grad == 1).all()) for p in model.parameters())


def test_models_that_give_dicts_and_change_their_input_in_place():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()

        def forward(self, x):
            x -= 0.1
            return {"logits": self.net(x), "aux": (x,)}

    x, y = ring()
    kept = x.clone()
    e = slalom.examine(Odd(), lambda o, t: F.cross_entropy(o["logits"], t), adam(0.01), train=(x, y), batch_size=16, epochs=20)
    assert e.healthy
    assert torch.equal(x, kept)
