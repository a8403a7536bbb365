"""The race from end to end: its numbers against torch alone, its table, its errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import slalom
from slalom.core.errors import BadDataError, BadValueError, UnknownNameError
from slalom.data import load
from slalom.nets import build
from slalom.race.api import resume
from slalom.race.events import EpochDone, LanesAdded, RaceDone, RaceStarted, Recorder
from slalom.race.order import batches


@pytest.fixture(scope="module")
def small():
    return slalom.race("mlp:8:relu", "iris", rules=["sgd", "adam"], lrs=[0.01, 0.1, 0.5], seeds=2, epochs=4, batch_size=16)


def test_the_issues_example_works_as_written() -> None:
    result = slalom.race("mlp:64,64:relu", "digits", rules=["sgd", "adam"], seeds=2, epochs=5)
    frame = result.to_frame()
    wanted = {"rule", "lr", "seed", "status", "train_loss", "val_loss", "val_metric", "test_metric"}
    assert wanted <= set(frame.columns)
    assert len(frame) == len(result.lanes) >= 2 * 9 * 2
    assert set(frame["rule"]) == {"sgd", "adam"}
    assert result.best.test_metric > 0.9
    assert not result.best.at_edge  # sgd's default 1e-3 is far too low here, so its grid was widened


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_lanes_are_the_runs_that_torch_does_alone(dtype: str) -> None:
    lrs = {"momentum": [0.05], "adam": [0.01]}
    result = slalom.race("mlp:12,8:tanh", "wine", rules=list(lrs), lrs=lrs, seeds=[3, 8], epochs=5, batch_size=20, dtype=dtype)
    data, twins = (
        load("wine"),
        {"momentum": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}), "adam": (torch.optim.Adam, {"lr": 0.01})},
    )
    factory, kind = build("mlp:12,8:tanh", data), getattr(torch, dtype)
    curves = result.curves()
    tolerance = 1e-10 if dtype == "float64" else 1e-5
    for i, lane in enumerate(result.lanes):
        torch.manual_seed(lane.seed)
        module = factory().to(kind)
        cls, options = twins[lane.rule]
        optimizer = cls(module.parameters(), **options)
        losses = []
        for epoch in range(5):
            for index in batches([lane.seed], epoch, len(data.train), 20):
                loss = nn.functional.cross_entropy(module(data.train.x[index].to(kind)), data.train.y[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        np.testing.assert_allclose(curves.train_loss[i], losses, rtol=max(tolerance, 1e-6))  # curves are kept in float32
        with torch.no_grad():
            outputs = module(data.test.x.to(kind))
        assert lane.test_metric == pytest.approx((outputs.argmax(1) == data.test.y).double().mean().item())
        with torch.no_grad():
            val = module(data.val.x.to(kind))
        assert lane.val_metric == pytest.approx((val.argmax(1) == data.val.y).double().mean().item())
        assert lane.val_loss == pytest.approx(nn.functional.cross_entropy(val, data.val.y).item(), rel=max(tolerance, 1e-6))
        sizes = [len(index) for index in batches([0], 0, len(data.train), 20)]
        assert lane.train_loss == pytest.approx(np.average(losses[-len(sizes) :], weights=sizes), rel=max(tolerance, 1e-6))
        assert lane.test_loss == pytest.approx(nn.functional.cross_entropy(outputs, data.test.y).item(), rel=tolerance)
        for name, value in module.state_dict().items():
            torch.testing.assert_close(result.weights(lane.lane)[name], value, rtol=tolerance, atol=tolerance)


def test_twice_the_same_is_the_same_to_the_bit(small) -> None:
    again = slalom.race("mlp:8:relu", "iris", rules=["sgd", "adam"], lrs=[0.01, 0.1, 0.5], seeds=2, epochs=4, batch_size=16)
    assert again.to_frame().equals(small.to_frame())
    fewer = slalom.race("mlp:8:relu", "iris", rules=["adam"], lrs=[0.1], seeds=[1], epochs=4, batch_size=16)
    (lane,) = [x for x in small.lanes if (x.rule, x.lr, x.seed) == ("adam", 0.1, 1)]
    assert (fewer.lanes[0].train_loss, fewer.lanes[0].test_loss) == (lane.train_loss, lane.test_loss)


def test_events_come_in_order() -> None:
    seen = Recorder()
    slalom.race("mlp:4:relu", "iris", rules="adam", lrs=[0.1, 0.2], seeds=1, epochs=3, on_event=seen)
    kinds = [type(e) for e in seen.events]
    assert kinds[0] is RaceStarted
    assert kinds[-1] is RaceDone
    epochs = [e for e in seen.events if isinstance(e, EpochDone)]
    assert [e.epoch for e in epochs] == [1, 2, 3]
    assert all(e.lanes == [0, 1] and len(e.val_metric) == 2 for e in epochs)
    (added,) = [e for e in seen.events if isinstance(e, LanesAdded)]
    assert (added.rule, added.lrs, added.widened) == ("adam", [0.1, 0.2], False)


def test_grids_lie_a_quarter_decade_apart_around_the_default_and_widen() -> None:
    result = slalom.race("mlp:8:relu", "iris", rules=["sgd"], seeds=1, epochs=3)
    lrs = sorted({x.lr for x in result.lanes})
    assert len(lrs) > 9  # 1e-2 was the best of the first nine
    np.testing.assert_allclose(np.diff(np.log10(lrs)), 0.25)
    assert any(math.isclose(lr, 1e-3) for lr in lrs)
    kept = slalom.race("mlp:8:relu", "iris", rules=["sgd"], seeds=1, epochs=3, widen=False)
    assert len(kept.lanes) == 9
    assert kept.best.at_edge


def test_retired_lanes_are_told_and_left_out() -> None:
    result = slalom.race("mlp:8:relu", "iris", rules=["sgd"], lrs=[0.1, 1e38], seeds=2, epochs=2)
    bad = [x for x in result.lanes if x.lr == 1e38]
    assert {x.status for x in bad} == {"retired"}
    assert all(x.retired_step == x.last_finite_step + 1 == x.steps + 1 for x in bad)
    assert all(math.isnan(x.test_metric) and x.reason for x in bad)
    alone = slalom.race("mlp:8:relu", "iris", rules=["sgd"], lrs=[0.1], seeds=2, epochs=2)
    assert [(x.test_loss, x.train_loss) for x in result.lanes[:2]] == [(x.test_loss, x.train_loss) for x in alone.lanes]
    assert result.best.lr == 0.1
    assert result.best.retired == 2


def test_own_objects_race(tmp_path) -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(120, 6, generator=g)
    y = (x[:, 0] * 2 - x[:, 1]).unsqueeze(1) + 0.1 * torch.randn(120, 1, generator=g)

    def rms(outputs: torch.Tensor, targets: torch.Tensor) -> float:
        return (outputs - targets).square().mean().sqrt().item()

    rms.higher_is_better = False  # type: ignore[attr-defined]
    result = slalom.race(
        lambda: nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 1)),
        (x, y),
        rules=[torch.optim.Adam, slalom.rules.adam],
        lrs=[0.05],
        seeds=2,
        epochs=10,
        batch_size="full",
        loss=nn.functional.smooth_l1_loss,
        metric=rms,
        schedule=lambda step: 0.99**step,
        clip=1.0,
    )
    assert {x.rule for x in result.lanes} == {"torch.Adam", "adam"}
    assert not result.higher_is_better
    by_rule = {r: [x.test_loss for x in result.lanes if x.rule == r] for r in ("torch.Adam", "adam")}
    np.testing.assert_allclose(by_rule["torch.Adam"], by_rule["adam"], rtol=1e-4)
    path = result.save(tmp_path / "run")
    back = slalom.load(path)
    assert back.to_frame().equals(result.to_frame())
    assert torch.equal(back.weights(3)["0.weight"], result.weights(3)["0.weight"])
    with pytest.raises(BadValueError, match=r"its own schedule, loss, metric, model, data; resume it with"):
        resume(path)


def test_rules_may_be_variants() -> None:
    rules = ["adam", "adam(amsgrad=True)", slalom.rules.sgd(momentum=0.9), "torch.SGD"]
    result = slalom.race("linear", "iris", rules=rules, lrs=[0.1], seeds=1, epochs=1)
    assert [x.rule for x in result.lanes] == ["adam", "adam(amsgrad=True)", "sgd(momentum=0.9)", "torch.SGD"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rules": ["adma"]}, UnknownNameError, "there is no rule 'adma'; did you mean .*'adam'"),
        ({"rules": []}, BadValueError, "rules is empty"),
        ({"rules": ["adam", "adam"]}, BadValueError, "the rule adam is named 2 times"),
        ({"rules": ["adam(lr=1)"]}, BadValueError, "give learning rates by lrs="),
        ({"rules": ["adam(b2=1.0)"]}, BadValueError, r"adam: b2 must be in \[0, 1\), got 1.0"),
        ({"rules": ["adam(b2=)"]}, BadValueError, "cannot read the rule"),
        ({"rules": [3]}, BadValueError, "a rule is a registry name"),
        ({"lrs": [-1.0]}, BadValueError, "must be finite numbers >= 0, got -1.0"),
        ({"lrs": []}, BadValueError, "lrs for sgd is empty"),
        ({"lrs": {"lion": [1.0]}}, BadValueError, "lrs names 'lion'"),
        ({"seeds": 0}, BadValueError, "seeds must be a number >= 1 or a list, got 0"),
        ({"seeds": [1, 1]}, BadValueError, "named once each"),
        ({"seeds": [-1]}, BadValueError, r"whole numbers in \[0, 2\*\*32\), got -1"),
        ({"epochs": 0}, BadValueError, "epochs: .*greater than or equal to 1, got 0"),
        ({"batch_size": 0}, BadValueError, "batch_size must be a whole number >= 1 or 'full', got 0"),
        ({"batch_size": "half"}, BadValueError, "got 'half'"),
        ({"clip": -1.0}, BadValueError, "clip: .*greater than 0, got -1.0"),
        ({"dtype": "float16"}, BadValueError, "dtype: .*float32.*got 'float16'"),
        ({"order": "random"}, BadValueError, "order: .*got 'random'"),
        ({"loss": "hinge"}, UnknownNameError, "there is no loss 'hinge'"),
        ({"loss": "mse"}, BadValueError, "loss 'mse' is for regression; iris is classification"),
        ({"metric": "r2"}, BadValueError, "metric 'r2' is for regression"),
        ({"metric": "acuracy"}, UnknownNameError, "did you mean 'accuracy'"),
        ({"data": "irs"}, UnknownNameError, "iris"),
        ({"data": (torch.full((9, 2), math.nan), torch.zeros(9))}, BadDataError, "NaN"),
        ({"model": "mlp:0"}, BadValueError, "mlp"),
        ({"mechanism": "fast"}, BadValueError, "mechanism"),
    ],
)
def test_bad_input_says_what_is_wrong(arguments: dict, error: type, message: str, tmp_path) -> None:
    given = {"model": "linear", "data": "iris", "rules": ["sgd"], "directory": tmp_path / "run", **arguments}
    with pytest.raises(error, match=message):
        slalom.race(given.pop("model"), given.pop("data"), **given)
    assert not (tmp_path / "run").exists()


def test_r2_needs_targets_that_differ() -> None:
    x = torch.arange(40.0).view(20, 2)
    parts = {"train": (x, x[:, 0] + 0.5), "val": (x[:1], x[:1, 0] + 0.5), "test": (x, x[:, 0] + 0.5)}
    with pytest.raises(BadDataError, match=r"the validation part of .* \(1 rows\) has one: take metric='rmse'"):
        slalom.race("linear", parts, rules="sgd", task="regression")


def test_numbers_of_numpy_and_torch_are_numbers() -> None:
    result = slalom.race("linear", "iris", rules="sgd", lrs=torch.tensor([0.5, 0.25]), seeds=np.array([3, 4]), epochs=1)
    assert sorted({(x.lr, x.seed) for x in result.lanes}) == [(0.25, 3), (0.25, 4), (0.5, 3), (0.5, 4)]
