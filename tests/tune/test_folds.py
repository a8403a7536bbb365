"""k-fold validation: every row is held out once, a trial is the mean of k plain trainings, and the winner is trained on all."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import slalom
from slalom.core.errors import SlalomError
from slalom.race.order import permutation
from slalom.tune import Categorical, Float, Int
from slalom.tune.events import RungDone
from slalom.tune.training.folds import Folds

pytestmark = pytest.mark.usefixtures("one_thread")
SPACE = {"lr": Float(1e-3, 1, log=True), "layers": 1, "units": Int(4, 12), "augment": Categorical(["none", "noise=0.1"])}
GIVEN = {
    "data": "iris", "space": SPACE, "budget": 6, "lanes": 6, "epochs": 3, "method": "random", "seeds": 2, "finalists": 1,
    "folds": 5, "dtype": "float64",
}  # fmt: skip


def trained(config, seed, order, x, y, epochs):
    """A plain net and torch's Adam, its rows in the order of the search."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, config["units"]), nn.ReLU(), nn.Linear(config["units"], 3)).double()
    optimizer = torch.optim.Adam(net.parameters(), lr=config["lr"])
    for epoch in range(epochs):
        for index in torch.split(permutation(order, epoch, len(y)), 64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[index]), y[index]).backward()
            optimizer.step()
    return net


def test_every_row_is_held_out_once_and_none_is_trained_on_where_it_is():
    data = slalom.data.load("iris")
    for count in (2, 4, 7):
        folds = Folds.of(data, count, 0)
        assert torch.cat(folds.val).sort().values.tolist() == list(range(len(data.train) + len(data.val)))
        for train, val in zip(folds.train.tolist(), folds.val, strict=True):
            assert not set(train) & set(val.tolist())
            assert len(set(train)) == len(train) == 120 - max(map(len, folds.val))
    assert not torch.equal(Folds.of(data, 4, 0).val[0], Folds.of(data, 4, 1).val[0])


def test_a_trial_is_the_mean_of_k_trainings_by_torch_and_the_winner_one_of_all_rows():
    found = slalom.tune(**GIVEN)
    data = slalom.data.load("iris")
    folds = Folds.of(data, 5, 0)
    x, y = folds.pool.x.double(), folds.pool.y
    trial = next(t for t in found.trials if t.config["augment"] == "none" and t.epoch == 3)
    losses = []
    for train, val in zip(folds.train, folds.val, strict=True):
        net = trained(trial.config, trial.seed, 0, x[train], y[train], 3)
        with torch.no_grad():
            losses.append(float(nn.functional.cross_entropy(net(x[val]), y[val])))
    assert trial.loss == pytest.approx(sum(losses) / 5, rel=1e-9)
    quiet = slalom.tune(**{**GIVEN, "space": {**SPACE, "augment": "none"}, "budget": 3, "lanes": 3})
    tested = quiet.history.tested
    for seed, loss in zip(tested["seeds"], tested["test_loss"], strict=True):
        net = trained(quiet.config, seed, seed, x, y, 3)
        with torch.no_grad():
            assert float(nn.functional.cross_entropy(net(data.test.x.double()), data.test.y)) == pytest.approx(loss, rel=1e-9)


def test_a_search_over_folds_goes_on_to_the_bit(tmp_path):
    def facts(result):
        return repr([(t.number, t.config, t.state, t.rungs) for t in result.trials]), repr(result.test)

    def stop(event):
        if isinstance(event, RungDone):
            raise KeyboardInterrupt

    slalom.tune(**GIVEN, directory=tmp_path / "run", on_event=stop)
    assert facts(slalom.tune.resume(tmp_path / "run")) == facts(slalom.tune(**GIVEN))


@pytest.mark.parametrize("folds", [1, 121, 2.5])
def test_folds_that_cannot_be_are_said(folds):
    with pytest.raises(SlalomError, match="folds"):
        slalom.tune(**{**GIVEN, "folds": folds})
