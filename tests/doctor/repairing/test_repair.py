"""A repair is better by a measure of its own, keeps units and inputs, costs what it says, and leaves what is healthy alone."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import slalom
from slalom.core.errors import BadValueError
from slalom.doctor.finding import finding
from slalom.doctor.fixes import Change
from slalom.doctor.repairing.branch import Branch
from slalom.doctor.repairing.choose import halved
from slalom.doctor.repairing.mend import mended
from slalom.doctor.repairing.yardstick import Yardstick
from slalom.doctor.setup import setup_of
from slalom.race.range.untouched import random_states_kept


def rows(n=200):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, 4, generator=g)
    return x, (x[:, 0] + x[:, 1] > 0).long()


def mlp(out=2, last=()):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, out), *last)


def sgd(lr=0.3, **more):
    return lambda m: torch.optim.SGD(m.parameters(), lr=lr, **more)


def arguments(model=None, loss=F.cross_entropy, optimizer=None, pair=None, **more):
    x, y = rows() if pair is None else pair
    made = {"model": model or mlp(), "loss_fn": loss, "optimizer": optimizer or sgd(), "train": (x[:150], y[:150])}
    return {**made, "val": (x[150:], y[150:]), "epochs": 10, **more}


def fixed(*labels, **given):
    """The repair of a set-up in which these labels were found."""
    made = arguments(**given)
    model, loss, optimizer = made.pop("model"), made.pop("loss_fn"), made.pop("optimizer")
    with random_states_kept():
        return mended(setup_of(model, loss, optimizer, **made), SimpleNamespace(findings=[finding(n, [], 0.9) for n in labels]))


def accuracy(model, pair=None):
    x, y = rows() if pair is None else pair
    with torch.no_grad():
        return float((model(x[150:]).argmax(1) == y[150:]).double().mean())


def test_a_rate_that_is_too_low_or_too_high_is_mended_within_its_budget():
    for lr, label in ((1e-4, "lr_too_low"), (3e4, "divergence")):
        r = fixed(label, optimizer=sgd(lr))
        assert r.after < 0.5 * min(r.before, 0.7)
        assert accuracy(r.model) > 0.85
        assert r.applied[0].label == label
        assert r.cost - 1 <= 1.5  # the original was trained again here, since no examination has it
        assert not r.model.training


def test_a_wrong_second_label_does_not_mislead():
    r = fixed("lr_too_low", "dead_relu", "lr_too_high", optimizer=sgd(1e-4))
    assert r.applied[0].label == "lr_too_low"


def test_units_are_kept_where_targets_are_scaled():
    x, _ = rows()
    y = 500 + 1000 * (x[:, :1] - x[:, 1:2])
    r = fixed("unscaled_targets", model=mlp(1), loss=F.mse_loss, optimizer=sgd(0.1), pair=(x, y))
    with torch.no_grad():
        error = (r.model(x[150:]) - y[150:]).square().mean()
    assert float(error) < 0.05 * float(y.var())
    assert r.after == pytest.approx(float(error), rel=1e-4)  # the caller's own loss, in the caller's units


def test_inputs_are_kept_where_they_are_scaled():
    x, y = rows()
    x = x * torch.tensor([1.0, 1.0, 1000.0, 1.0]) + 50
    r = fixed("unnormalised_inputs", pair=(x, y))
    assert accuracy(r.model, (x, y)) > 0.85


def test_shapes_that_are_broadcast_do_not_fool_the_measure():
    x, _ = rows()
    y = x[:, 0] - x[:, 1]
    r = fixed("loss_output_mismatch", model=mlp(1), loss=lambda o, t: F.mse_loss(o, t), optimizer=sgd(0.05), pair=(x, y))
    with torch.no_grad():
        plain = (r.model(x[150:])[:, 0] - y[150:]).square().mean()
    assert r.after == pytest.approx(float(plain), rel=1e-4)
    assert r.after < 0.2 * float(y.var())


def test_a_healthy_run_is_handed_back_to_the_bit():
    from slalom.doctor.run import train

    made = arguments()
    r = fixed()
    model, loss, optimizer = made.pop("model"), made.pop("loss_fn"), made.pop("optimizer")
    with random_states_kept():
        run = train(setup_of(model, loss, optimizer, **made))
    assert all(torch.equal(a, b) for a, b in zip(r.model.parameters(), run.model.parameters(), strict=True))
    assert r.applied == []
    assert r.before == r.after
    assert "nothing was wrong" in str(r)


def test_a_wrong_diagnosis_of_a_healthy_run_makes_it_no_worse():
    for label in ("lr_too_high", "model_too_small", "over_regularised", "bad_init", "corrupted_labels", "train_val_mismatch"):
        r = fixed(label)
        assert r.after <= r.before


def test_nan_rows_are_repaired_and_measured_without_them():
    x, y = rows()
    x[3, 0] = x[160, 1] = math.nan
    r = fixed("nonfinite_data", pair=(x, y))
    assert r.after < 0.35
    assert math.isinf(r.before) or r.before > r.after


def test_dropout_and_the_callers_state_are_left_as_they_were():
    model = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.5), nn.Linear(16, 2)).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.get_rng_state()
    fixed("lr_too_low", model=model, optimizer=sgd(1e-4))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_the_same_again_is_the_same():
    one, two = (fixed("lr_too_low", optimizer=sgd(1e-4)) for _ in range(2))
    assert one.after == two.after
    assert one.curves == two.curves


def test_experiments_of_the_examination_are_not_made_again():
    r = slalom.repair(**arguments(optimizer=sgd(1e-3)))
    assert r.repaired
    assert r.cost < 1.5
    assert r.found.labels[0] == "lr_too_low"
    told = r.to_dict()
    assert told["applied"][0]["label"] == "lr_too_low"
    assert told["curves"]["after"]["step"][-1] == 50


def test_branches_go_on_as_if_never_stopped():
    s = setup_of(
        mlp(),
        F.cross_entropy,
        sgd(momentum=0.9),
        train=rows(),
        epochs=3,
        schedule=lambda o: torch.optim.lr_scheduler.StepLR(o, 1),
    )
    ends = []
    for stops in ([21], [2, 9, 10, 21]):
        torch.manual_seed(0)
        branch = Branch(Change(s, "", ""), Yardstick(s), (s.train, None))
        for stop in stops:
            branch.advance(stop)
            torch.manual_seed(1)  # what happens in between does not matter
        assert branch.ended
        ends.append(torch.cat([p.detach().flatten() for p in branch.model.parameters()]))
    assert torch.equal(*ends)


def test_halving_keeps_the_best_and_the_first_of_equals():
    made = [sgd(lr) for lr in (1e-6, 0.3, 1e-5, 1e6, 0.3)]
    branches = []
    for optimizer in made:
        s = setup_of(mlp(), F.cross_entropy, optimizer, train=rows(), epochs=10)
        branches.append(Branch(Change(s, "", ""), Yardstick(s), (s.train, None)))
    with random_states_kept():
        order = halved(branches, 1.0)
    assert order[0] is branches[1]
    assert sum(b.step for b in branches) <= 1.4 * branches[0].setup.steps
    assert len(order) == 5


def test_the_measure_is_scikit_learn_s():
    from sklearn.metrics import log_loss

    x, y = rows()
    model = mlp()
    s = setup_of(model, F.cross_entropy, sgd(), train=(x, y))
    p = torch.softmax(model(x).detach().double(), 1).numpy()
    assert Yardstick(s).of(model, (x, y)) == pytest.approx(log_loss(y, p), rel=1e-5)
    weights = 0.5 / torch.bincount(y)[y].double()
    balanced = log_loss(y, p, sample_weight=weights)
    assert Yardstick(s, by_class=True).of(model, (x, y)) == pytest.approx(balanced, rel=1e-5)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"tries": 0}, "tries must be a whole number >= 1, got 0"), ({"budget": -1}, "budget must be a number of runs >= 0"),
     ({"examination": "x"}, "examination must be what slalom.examine gave, got str"), ({"epochs": 0}, "epochs")],
)  # fmt: skip
def test_wrong_arguments(wrong, said):
    with pytest.raises(BadValueError, match=said):
        slalom.repair(**arguments(**wrong))
