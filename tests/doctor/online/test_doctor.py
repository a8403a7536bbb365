"""The doctor in a loop: what it finds, that it leaves no trace, and that it fits every kind of loop."""

import copy
import itertools
import logging

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import slalom
from slalom.core.errors import BadValueError


def net(*widths, act=nn.ReLU, seed=0):
    torch.manual_seed(seed)
    layers = []
    for a, b in itertools.pairwise(widths):
        layers += [nn.Linear(a, b), act()]
    return nn.Sequential(*layers[:-1])


def data(n=64, features=4, seed=1):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, features, generator=g)
    return x, (x[:, 0] * x[:, 1] > 0).long()


def loop(model, optimizer, steps=60, x=None, y=None, batch=16, doctor=None, loss_fn=F.cross_entropy, share=1.0):
    """A plain loop under a doctor that may look at every step."""
    if x is None:
        x, y = data()
    g = torch.Generator().manual_seed(0)
    with doctor or slalom.Doctor(model, optimizer, share=share) as watching:
        for _ in range(steps):
            rows = torch.randint(0, len(x), (batch,), generator=g)
            optimizer.zero_grad()
            loss = loss_fn(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            watching.step(loss)
    return watching


def hooks(model, *optimizers):
    count = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules())
    return count + sum(len(o._optimizer_step_pre_hooks) + len(o._optimizer_step_post_hooks) for o in optimizers)


def test_a_healthy_run_has_no_finding():
    model = net(4, 32, 32, 2)
    doctor = loop(model, torch.optim.Adam(model.parameters(), lr=1e-2), 300)
    assert doctor.findings == []
    assert len(doctor.record.looks) > 20


def test_the_run_is_the_same_to_the_bit():
    x, y = data()
    ends = []
    for watched in (False, True):
        model = net(4, 16, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        if watched:
            loop(model, optimizer, 40, x, y)
        else:
            g = torch.Generator().manual_seed(0)
            for _ in range(40):
                rows = torch.randint(0, len(x), (16,), generator=g)
                optimizer.zero_grad()
                F.cross_entropy(model(x[rows]), y[rows]).backward()
                optimizer.step()
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*ends)


def test_gradients_and_changes_are_those_of_numpy():
    model = net(4, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = data()
    doctor = slalom.Doctor(model, optimizer)
    before = [p.detach().double().numpy().copy() for p in model.parameters()]
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    grads = [p.grad.double().numpy() for p in model.parameters()]
    optimizer.step()
    doctor.step(loss)
    doctor.close()
    (look,) = doctor.record.looks
    assert look.gradients == pytest.approx([np.sqrt((g**2).mean()) for g in grads], rel=1e-5)
    after = [p.detach().double().numpy() for p in model.parameters()]
    # one entry each is followed in so small a model: the first
    first = [(abs(b.flat[0] - a.flat[0]) / abs(a.flat[0])) for a, b in zip(before, after, strict=True)]
    assert look.ratios == pytest.approx(first, rel=1e-3)


CASES = {
    "divergence": {"lr": 1e6, "loss": True},
    "params_not_training": {"part": True},
    "unnormalised_inputs": {"times": torch.tensor([1.0, 1.0, 1.0, 5000.0])},
    "nonfinite_data": {"nan": True},
    "dead_relu": {"bias": -50.0},
    "vanishing_gradient": {"deep": True},
    "lr_too_low": {"lr": 1e-9, "steps": 260},
}


@pytest.mark.parametrize("label", CASES)
def test_a_fault_is_found_by_its_name_and_logged_once(label, caplog):
    case = CASES[label]
    model = net(4, 16, 16, 2) if not case.get("deep") else net(4, *[16] * 9, 2, act=nn.Sigmoid)
    x, y = data()
    x = x * case.get("times", 1.0)
    if case.get("nan"):
        x[:, 2] = float("nan")
    if "bias" in case:
        with torch.no_grad():
            model[2].bias.fill_(case["bias"])
    parameters = list(model.parameters())[2:] if case.get("part") else model.parameters()
    optimizer = torch.optim.SGD(parameters, lr=case.get("lr", 0.01))
    fit = (lambda o, t: F.mse_loss(o, F.one_hot(t, 2).float())) if case.get("loss") else F.cross_entropy
    with caplog.at_level(logging.WARNING, logger="slalom.doctor"):
        doctor = loop(model, optimizer, case.get("steps", 60), x, y, loss_fn=fit)
    assert doctor.labels[0] == label
    assert sum(r.getMessage().startswith(f"{label} at step") for r in caplog.records) == 1
    assert not any(r.exc_info for r in caplog.records)


@pytest.mark.parametrize("label", ["params_not_training", "unnormalised_inputs", "nonfinite_data", "dead_relu"])
def test_static_faults_are_named_before_step_5(label):
    test_case = CASES[label]
    x, y = data()
    x = x * test_case.get("times", 1.0)
    if test_case.get("nan"):
        x[0:64:2, 2] = float("nan")
    model = net(4, 16, 16, 2)
    if "bias" in test_case:
        with torch.no_grad():
            model[2].bias.fill_(test_case["bias"])
    parameters = list(model.parameters())[2:] if test_case.get("part") else model.parameters()
    doctor = loop(model, torch.optim.SGD(parameters, lr=0.01), 4, x, y)
    assert label in doctor.labels


def test_overfitting_is_told_from_epochs():
    model = net(4, 8, 2)
    doctor = slalom.Doctor(model, torch.optim.SGD(model.parameters(), lr=0.1))
    for train, val in zip(
        np.geomspace(1, 0.01, 14), [1, 0.8, 0.7, 0.65, 0.66, 0.7, 0.76, 0.83, 0.9, 0.98, 1.05, 1.1, 1.2, 1.3], strict=True
    ):
        for _ in range(3):
            doctor.step(float(train))
        doctor.epoch(val)
    (found,) = doctor.findings
    assert found.label == "overfitting"
    assert found.step <= 3 * 10  # the lowest is at epoch 4; by 10 it has risen by half


def test_a_noisy_validation_loss_is_no_overfitting():
    rng = np.random.default_rng(0)
    model = net(4, 8, 2)
    doctor = slalom.Doctor(model, torch.optim.SGD(model.parameters(), lr=0.1))
    for k in range(60):
        for _ in range(3):
            doctor.step(0.3 + np.exp(-k / 5))
        doctor.epoch(0.5 + np.exp(-k / 5) + rng.normal(0, 0.05))
    assert doctor.findings == []


def fail(model, optimizer):
    with slalom.Doctor(model, optimizer):
        assert hooks(model, optimizer) > 0
        model(data()[0])
        raise ZeroDivisionError


def test_hooks_are_gone_after_exit_and_after_an_exception():
    model = net(4, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loop(model, optimizer, 20)
    assert hooks(model, optimizer) == 0
    with pytest.raises(ZeroDivisionError):
        fail(model, optimizer)
    assert hooks(model, optimizer) == 0


def test_accumulation_waits_for_the_optimizer_and_sees_whole_gradients():
    x, y = data()
    model = net(4, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with slalom.Doctor(model, optimizer, share=1.0) as doctor:
        for k in range(40):
            loss = F.cross_entropy(model(x[k % 4 :: 4]), y[k % 4 :: 4]) / 4
            loss.backward()
            if k % 4 == 3:
                whole = [float(p.grad.double().square().mean().sqrt()) for p in model.parameters()]
                optimizer.step()
                optimizer.zero_grad()
            doctor.step(loss)
            if k == 3:
                assert doctor.record.looks[0].gradients == pytest.approx(whole, rel=1e-5)
    assert doctor.findings == []
    assert len(doctor.record.looks) > 2


def test_zero_grad_before_the_doctors_step_hides_nothing():
    x, y = data()
    model = net(4, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with slalom.Doctor(model, optimizer) as doctor:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        doctor.step(loss)
    assert (doctor.record.looks[0].gradients > 0).all()


def test_scaled_gradients_are_seen_unscaled_and_a_skipped_step_is_no_fault():
    x, y = data()
    model = net(4, 16, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, growth_interval=10_000)
    with slalom.Doctor(model, optimizer, share=1.0) as doctor:
        for _ in range(80):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.float16):
                loss = F.cross_entropy(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            doctor.step(loss)
    assert scaler.get_scale() < 2.0**40  # some steps were skipped
    assert doctor.findings == []
    assert all(np.nanmax(look.gradients) < 10 for look in doctor.record.looks)


def test_several_optimizers():
    x, y = data()
    model = net(4, 16, 2)
    first = torch.optim.SGD(model[0].parameters(), lr=0.1)
    second = torch.optim.Adam(model[2].parameters(), lr=0.01)
    with slalom.Doctor(model, [first, second], share=1.0) as doctor:
        for _ in range(40):
            first.zero_grad()
            second.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            first.step()
            second.step()
            doctor.step(loss)
    assert doctor.findings == []
    assert (doctor.record.looks[-1].ratios > 0).any()
    assert hooks(model, first, second) == 0


class Nested(nn.Module):
    """Takes and returns dicts and tuples."""

    def __init__(self, kind):
        super().__init__()
        self.inner, self.kind = net(4, 8, 2), kind

    def forward(self, batch, scale=1.0):
        made = self.inner(batch["x"] * scale)
        return {"logits": made} if self.kind == "dict" else (made, [made])


@pytest.mark.parametrize("kind", ["dict", "tuple"])
def test_modules_that_take_and_return_dicts_and_tuples(kind):
    x, y = data()
    model = Nested(kind)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with slalom.Doctor(model, optimizer) as doctor:
        for _ in range(8):
            optimizer.zero_grad()
            out = model({"x": x * 1e4}, scale=1.0)
            loss = F.cross_entropy(out["logits"] if kind == "dict" else out[0], y)
            loss.backward()
            optimizer.step()
            doctor.step(loss)
    assert "unnormalised_inputs" in doctor.labels
    assert len(doctor.record.inputs) > 0


def test_a_compiled_model_is_compiled_once_and_watched():
    from torch._dynamo.testing import CompileCounter

    counter = CompileCounter()
    torch._dynamo.reset()
    model = torch.compile(net(4, 16, 2), backend=counter, fullgraph=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    doctor = loop(model, optimizer, 40)
    assert counter.frame_count == 1
    assert doctor.findings == []
    assert doctor.record.names[0] == "0.weight"
    assert len(doctor.record.looks) > 5
    assert len(doctor.record.inputs) > 0
    torch._dynamo.reset()


def test_what_goes_wrong_inside_stops_nobody(caplog):
    model = net(4, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    doctor = slalom.Doctor(model, optimizer)
    doctor._watch.take = lambda: 1 / 0
    with caplog.at_level(logging.WARNING, logger="slalom.doctor"):
        loop(model, optimizer, 10, doctor=doctor)
    assert sum("stops watching" in r.getMessage() for r in caplog.records) == 1
    assert hooks(model, optimizer) == 0


def test_the_loss_is_not_kept_alive():
    import gc
    import weakref

    x, y = data()
    model = net(4, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with slalom.Doctor(model, optimizer) as doctor:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        doctor.step(loss)
        seen = weakref.ref(loss)
        del loss
        gc.collect()
        assert seen() is None


def test_memory_stays_within_a_percent():
    model = net(64, 256, 256, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    doctor = slalom.Doctor(model, optimizer)
    held = sum(t.numel() * t.element_size() for t in doctor._watch.layers._before)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    assert held <= 0.01 * weights
    for _ in range(20_000):
        doctor.record.losses.add(1.0)
    assert len(doctor.record.losses.values()) <= 4096
    doctor.close()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda m, o: slalom.Doctor("net", o), "must be an nn.Module, got str"),
        (lambda m, o: slalom.Doctor(m, "sgd"), "must be a torch optimizer or a list of them, got str"),
        (lambda m, o: slalom.Doctor(m, []), "must be a torch optimizer or a list of them, got list"),
        (lambda m, o: slalom.Doctor(m, o, share=2), "share of the time in \\(0, 1\\], got 2"),
    ],
)
def test_wrong_arguments(given, said):
    model = net(4, 2)
    with pytest.raises(BadValueError, match=said):
        given(model, torch.optim.SGD(model.parameters(), lr=0.1))


def test_nan_and_infinite_losses_are_losses():
    model = net(4, 2)
    for value in (float("nan"), float("inf"), torch.tensor(float("nan"))):
        doctor = slalom.Doctor(copy.deepcopy(model), torch.optim.SGD(model.parameters(), lr=0.1))
        doctor.step(1.0)
        doctor.step(value)
        assert "divergence" in doctor.labels
        assert doctor.findings[-1].step == 1 or doctor.findings[0].step == 1
        doctor.close()
