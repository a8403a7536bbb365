"""Signals against slow, plain twins: gradients by autograd layer by layer, dead units by a loop over rows."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from slalom.doctor.probes.signals import affine, signals
from slalom.doctor.probes.weights import reset, starts


def batch(rows=32, n=5, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(rows, n, generator=g), torch.randint(0, 3, (rows,), generator=g)


def net(*acts):
    torch.manual_seed(0)
    layers, n = [], 5
    for act in acts:
        layers += [nn.Linear(n, 8), act]
        n = 8
    return nn.Sequential(*layers, nn.Linear(n, 3))


def test_layers_against_a_plain_twin():
    model, (x, y) = net(nn.Tanh(), nn.ReLU(inplace=True)), batch()
    found = signals(model, F.cross_entropy, x, y)
    a = model[0](x)
    b = model[2](a.tanh())
    c = model[4](b.relu())
    grads = torch.autograd.grad(F.cross_entropy(c, y), (a, b, c))
    for layer, out, g in zip(found.layers, (a.detach(), b.detach(), c.detach()), grads, strict=True):
        assert layer.delta == pytest.approx(float(g.norm()), rel=1e-5)
        assert layer.rms == pytest.approx(float(out.square().mean().sqrt()), rel=1e-5)
        assert layer.spread == pytest.approx(float((out - out.mean(0)).norm() / out.norm()), rel=1e-5)
    assert found.back == pytest.approx(float(grads[0].norm() / grads[2].norm()), rel=1e-5)
    assert [op.name for op in found.ops] == ["tanh", "relu"]
    assert [op.after for op in found.ops] == ["0", "2"]


def test_dead_units_against_a_loop_and_functions_count_as_modules_do():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(5, 10), nn.Linear(10, 3)
            with torch.no_grad():
                self.a.bias[:7] = -100

        def forward(self, x):
            return self.b(F.relu(self.a(x)))

    model, (x, y) = Own(), batch()
    dead = sum(all(float(model.a(row)[k].detach()) <= 0 for row in x) for k in range(10)) / 10
    assert signals(model, F.cross_entropy, x, y).dead == pytest.approx(dead)
    assert dead >= 0.7


def test_gradient_over_time_against_a_twin():
    torch.manual_seed(0)

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = nn.RNN(2, 6, batch_first=True), nn.Linear(6, 3)

        def forward(self, x):
            return self.head(self.rnn(x)[0][:, -1])

    model, x, y = Last(), torch.randn(16, 9, 2), torch.arange(16) % 3
    leaf = x.clone().requires_grad_()
    g = torch.autograd.grad(F.cross_entropy(model(leaf), y), leaf)[0]
    found = signals(model, F.cross_entropy, x, y)
    assert found.time == pytest.approx([float(g[:, t].norm()) for t in range(9)], rel=1e-5)
    assert found.over_time < 1
    assert math.isnan(signals(net(nn.ReLU()), F.cross_entropy, *batch()).over_time)


def test_it_leaves_no_trace():
    model, (x, y) = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(), nn.Linear(4, 3)), batch()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.train()
    signals(model, F.cross_entropy, x, y, training=True)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks for m in model.modules())


def test_a_raising_model_leaves_no_hook():
    model, (x, y) = net(nn.ReLU()), batch(n=4)
    with pytest.raises(RuntimeError):
        signals(model, F.cross_entropy, x, y)
    assert not any(m._forward_hooks for m in model.modules())


def test_what_makes_the_outputs_and_bare_layers():
    (x, y) = batch()
    ended = nn.Sequential(*net(nn.ReLU()), nn.Softmax(1))
    assert signals(ended, lambda o, t: F.nll_loss(o.log(), t), x, y).last == "softmax"
    assert signals(net(nn.Identity(), nn.ReLU()), F.cross_entropy, x, y).bare == ("0",)
    assert signals(net(nn.ReLU()), F.cross_entropy, x, y).bare == ()


@pytest.mark.parametrize(("acts", "low", "high"), [((), 0, 1e-5), ((nn.Identity(),), 0, 1e-5), ((nn.ReLU(),), 0.05, 10)])
def test_affine_maps(acts, low, high):
    assert low <= affine(net(*acts), batch()[0]) <= high


def test_not_finite_inputs_give_no_alarm():
    x, y = batch()
    x[0, 0] = float("nan")
    found = signals(net(nn.ReLU()), F.cross_entropy, x, y)
    assert math.isnan(found.loss)
    assert math.isnan(found.layers[0].delta)
    assert math.isnan(found.back)
    assert math.isnan(affine(net(nn.ReLU()), x))


def test_weights_beside_a_fresh_draw():
    model = net(nn.ReLU(), nn.ReLU())
    with torch.no_grad():
        model[0].weight.mul_(10)
        model[2].weight.fill_(0.1)
    found = {w.name: w for w in starts(model, reset(model, 3))}
    assert 8 < found["0.weight"].ratio < 12
    assert not found["0.weight"].alike
    assert found["2.weight"].alike
    assert found["4.weight"].ratio == pytest.approx(1, abs=0.4)
