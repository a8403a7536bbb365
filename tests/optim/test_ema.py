"""EMA against torch's AveragedModel and its closed form; weights come back to the bit."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from slalom.core.errors import BadValueError
from slalom.optim import EMA, AdamW, Lookahead, decay_groups
from tests.optim.small import OURS, TORCHS, away, build, data, net, train, weights


def batches(n, dtype=torch.float64):
    return list(zip(*(part.split(4) for part in data(4 * n, dtype=dtype)), strict=True))


def averages(ema, model):
    with ema.swapped():
        return weights(model)


@pytest.mark.parametrize("cls", [*OURS, *TORCHS], ids=lambda c: f"{c.__module__.split('.')[0]}.{c.__name__}")
def test_copy_is_torchs_averaged_model(cls):
    model = net()
    twin = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    optimizer = build(cls, model)
    ema = EMA(optimizer, 0.9, start="copy")
    for part in batches(12):
        train(model, optimizer, [part])
        twin.update_parameters(model)
    assert away(averages(ema, model), weights(twin)) <= 1e-14
    assert away(weights(model), weights(twin)) > 1e-4


@pytest.mark.parametrize("start", ["corrected", "ramp"])
def test_starts_against_their_closed_forms(start):
    path = torch.randn(30, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = nn.ParameterList([nn.Parameter(torch.zeros(3, dtype=torch.float64))])
    ema = EMA(model, 0.8, start=start)
    assert torch.equal(averages(ema, model), weights(model))  # nothing to swap before the first update
    expected = path[0]
    for t, w in enumerate(path, 1):
        with torch.no_grad():
            model[0].copy_(w)
        ema.update()
        if start == "corrected":
            ages = 0.8 ** torch.arange(t - 1, -1, -1, dtype=torch.float64)
            expected = (ages @ path[:t]) / ages.sum()
        else:
            d = min(0.8, (1 + t) / (10 + t))
            expected = w if t == 1 else d * expected + (1 - d) * w
        assert away(averages(ema, model), expected) <= 1e-14


def test_weights_are_back_to_the_bit_also_after_an_exception():
    model = net(dtype=torch.float32)
    optimizer = build(AdamW, model)
    ema = EMA(optimizer, 0.9)
    train(model, optimizer, batches(3, torch.float32))
    with torch.no_grad():
        model[0].weight[0, :3] = torch.tensor([float("nan"), -0.0, 1e-45])
    before = [p.detach().clone().view(torch.int32) for p in model.parameters()]
    pointers = [p.data_ptr() for p in model.parameters()]
    with pytest.raises(KeyError), ema.swapped():
        raise KeyError
    assert all(torch.equal(p.view(torch.int32), b) for p, b in zip(model.parameters(), before, strict=True))
    assert [p.data_ptr() for p in model.parameters()] == pointers
    with ema.swapped():
        assert not torch.equal(model[2].weight.view(torch.int32), before[2])
        for call in (ema.update, lambda: ema.load_state_dict(ema.state_dict()), optimizer.step, ema.swapped().__enter__):
            with pytest.raises(BadValueError, match=r"within swapped\(\)"):
                call()
    ema.update()


def test_bfloat16_averages_move_where_bfloat16_would_not():
    p = nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
    ema = EMA(nn.ParameterList([p]), 0.999, start="copy")
    ema.update()
    with torch.no_grad():
        p.fill_(2.0)
    for _ in range(1000):
        ema.update()
    assert ema.state_dict()["average"]["0"].item() == pytest.approx(2 - 0.999**1000, rel=1e-4)
    with ema.swapped():
        assert p.item() == pytest.approx(2 - 0.999**1000, rel=2**-8)
    assert p.item() == 2.0


def test_buffers_stay_or_are_averaged_as_torch_averages_them():
    def fresh():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()

    model, other = fresh(), fresh()
    optimizer = build(AdamW, model)
    stays, averaged = EMA(model, 0.7, start="copy"), EMA(model, 0.7, start="copy", average_buffers=True)
    twin = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.7), use_buffers=True)
    for part in batches(6):
        train(model, optimizer, [part])
        stays.update()
        averaged.update()
        twin.update_parameters(model)
    mean = model[1].running_mean.clone()
    with stays.swapped():
        assert torch.equal(model[1].running_mean, mean)
        assert away(weights(model), weights(twin)) <= 1e-14
    with averaged.swapped():
        other.load_state_dict(model.state_dict())
    assert away(other[1].running_mean, twin.module[1].running_mean) <= 1e-14
    assert away(other[1].running_var, twin.module[1].running_var) <= 1e-14
    assert other[1].num_batches_tracked == 6
    assert torch.equal(model[1].running_mean, mean)


def test_state_goes_on_in_a_new_process_and_in_copies():
    model, twin = net(), net()
    optimizer, plain = build(AdamW, model), build(AdamW, twin)
    ema, straight = EMA(optimizer, 0.9), EMA(plain, 0.9)
    train(twin, plain, batches(8))
    train(model, optimizer, batches(8)[:4])
    copied, copied_optimizer, copied_ema = deepcopy((model, optimizer, ema))
    again = net(5)
    again.load_state_dict(model.state_dict())
    resumed = AdamW([{"params": list(again.named_parameters())}], lr=0.5)
    resumed.load_state_dict(optimizer.state_dict())
    resumed_ema = EMA(resumed, 0.5)
    resumed_ema.load_state_dict(deepcopy(ema.state_dict()))
    for m, o, e in ((model, optimizer, ema), (copied, copied_optimizer, copied_ema), (again, resumed, resumed_ema)):
        train(m, o, batches(8)[4:])
        assert torch.equal(averages(e, m), averages(straight, twin))
    assert repr(resumed_ema) == "EMA (AdamW, decay=0.9, start='corrected', average_buffers=False)"


@pytest.mark.parametrize("amp", [False, True], ids=["scaler unscales", "inside the step"])
def test_a_step_that_the_scaler_leaves_out_is_not_averaged(amp):
    p = nn.Parameter(torch.tensor([0.0, 1.0]))
    optimizer = Lookahead(torch.optim.Adam([p], fused=amp))
    emas = [EMA(optimizer), EMA(optimizer.optimizer)]
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for factor in (1.0, float("inf"), -3.0):
        optimizer.zero_grad()
        scaler.scale((p * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert [ema.state_dict()["updates"] for ema in emas] == [{"0.0": 2}] * 2


def test_names_and_shapes_are_checked_before_anything_is_loaded():
    model = net()
    ema = EMA(model, 0.9)
    ema.update()
    saved = ema.state_dict()
    wrong = deepcopy(saved)
    wrong["average"]["0.bias"] = torch.zeros(7)
    for state, said in [
        (wrong, r"the loaded average of parameter 0.bias \(\(7,\)\) needs \(6,\)"),
        ({"average": {}}, "the state dict lacks decay, start, updates"),
        (saved | {"average": {"head": torch.zeros(1)}}, "missing 0.bias, 0.weight, 2.bias, 2.weight; surplus head"),
    ]:
        with pytest.raises(BadValueError, match=said):
            ema.load_state_dict(state)
    assert torch.equal(averages(ema, model), weights(model))


def test_groups_without_names_and_late_ones():
    p, q = (nn.Parameter(torch.tensor([x])) for x in (1.0, 5.0))
    optimizer = torch.optim.SGD([p], lr=1.0)
    ema = EMA(optimizer, 0.5)
    for _ in range(2):
        p.grad = torch.ones(1)
        optimizer.step()
    optimizer.add_param_group({"params": [q]})
    q.grad = p.grad = torch.ones(1)
    optimizer.step()
    assert list(ema.state_dict()["average"]) == ["0.0", "1.0"]
    assert ema.state_dict()["updates"] == {"0.0": 3, "1.0": 1}
    with ema.swapped():
        assert q.item() == 4.0
    assert EMA(torch.optim.AdamW(decay_groups(net(), 0.1))).state_dict()["average"] == {}


def test_bad_settings_are_named():
    optimizer = build(AdamW, net())
    for source, given, said in [
        ([1], {}, r"source must be a torch.optim.Optimizer or a torch.nn.Module, got \[1\]"),
        (optimizer, {"decay": 1.0}, r"decay must be a number in \[0, 1\), got 1.0"),
        (optimizer, {"decay": float("nan")}, "decay must be a number"),
        (optimizer, {"start": "zero"}, "start must be one of 'corrected', 'copy', 'ramp', got 'zero'"),
        (optimizer, {"average_buffers": True}, "average_buffers needs a module"),
        (optimizer, {"average_buffers": 1}, "average_buffers must be True or False, got 1"),
    ]:
        with pytest.raises(BadValueError, match=f"EMA: {said}"):
            EMA(source, **given)
