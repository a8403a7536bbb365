"""Every kind of variant in one race, float64, against a loop in plain torch that knows nothing of lanes."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import slalom
from slalom.data import load
from slalom.engines.lanes.counter import lane_key, uniform
from slalom.nets import Augment, Maxout, Mixup, Noise
from slalom.race.order import batches

EPOCHS, BATCH, LR = 6, 16, 0.02
GIVEN = [
    {"dropout": [0, 0.2, 0.5], "early_stopping": [0, 1]},
    {"l2": [0, 0.05], "l1": [0, 0.01], "weight_decay": [0, 0.3]},
    {"augment": ["none", "noise=.3", "mixup=.5"]},
    {"label_smoothing": [0, 0.2]},
    {"activation": ["tanh", "maxout"]},
]


class Drop(nn.Module):
    """Dropout whose mask is drawn as a lane's is, by (seed, step)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p, self.key, self.site = p, 0, 1

    def forward(self, x):
        if not self.training or not self.p:
            return x
        keep = uniform(torch.tensor(self.key), self.site, x.shape) >= self.p
        return x * keep / (1 - self.p)


def network(activation="relu", dropout=0.0, batch_norm=False):
    """By hand, what the spec mlp:8 makes for iris."""
    first = Maxout(4, 8) if activation == "maxout" else nn.Linear(4, 8)
    norm = [nn.BatchNorm1d(8)] if batch_norm else []
    act = {"relu": [nn.ReLU()], "tanh": [nn.Tanh()], "maxout": []}[activation]
    return nn.Sequential(first, *norm, *act, Drop(dropout), nn.Linear(8, 3)).double()


def alone(
    seed,
    rule="adam",
    *,
    lr=LR,
    epochs=EPOCHS,
    l1=0.0,
    l2=0.0,
    weight_decay=0.0,
    augment=None,
    label_smoothing=0.0,
    early_stopping=0,
    **model,
):
    """A run by torch.optim, its proximal steps, masks and stopping by hand."""
    data = load("iris")
    torch.manual_seed(seed)
    net = network(**model)
    weights = [p for n, p in net.named_parameters() if n.endswith("weight") and p.dim() > 1]
    others = [p for p in net.parameters() if not any(p is w for w in weights)]
    groups = [{"params": weights, "weight_decay": l2}, {"params": others, "weight_decay": 0.0}]
    if rule == "sgd":  # under batch normalisation, where a bias has no gradient but rounding, which Adam would blow up
        kind = torch.optim.SGD
    elif weight_decay:
        groups, kind = [{"params": list(net.parameters()), "weight_decay": weight_decay}], torch.optim.AdamW
    else:
        kind = torch.optim.Adam
    optimizer = kind(groups, lr=lr)
    best, best_at, kept, t, stopped = float("inf"), 0, None, 0, None
    for epoch in range(epochs):
        net.train()
        for index in batches([seed], epoch, len(data.train), BATCH):
            t += 1
            for part in net:
                if isinstance(part, Drop):
                    part.key = lane_key(seed, t)
            x, y = data.train.x[index], data.train.y[index]
            if augment is not None:
                x, y = augment(x, y, seed=seed, step=t - 1)
            y = y.double() if y.is_floating_point() else y
            optimizer.zero_grad()
            F.cross_entropy(net(x.double()), y, label_smoothing=label_smoothing).backward()
            optimizer.step()
            if l1:  # ProxGen: Adam's own step for a gradient of 1, its scale held
                for w in weights:
                    moves = LR
                    if rule == "adam":  # its first moment of ones is 1 - 0.9^t, which its correction undoes
                        moves = LR / ((optimizer.state[w]["exp_avg_sq"] / (1 - 0.999**t)).sqrt() + 1e-8)
                    with torch.no_grad():
                        w.copy_(w.sign() * (w.abs() - l1 * moves).clamp(min=0))
        net.eval()
        with torch.no_grad():
            val = F.cross_entropy(net(data.val.x.double()), data.val.y).item()
        if early_stopping:
            if val < best:
                best, best_at, kept = val, epoch + 1, copy.deepcopy(net.state_dict())
            elif epoch + 1 - best_at >= early_stopping:
                stopped = epoch + 1
                break
    if kept is not None:
        net.load_state_dict(kept)
    with torch.no_grad():
        outputs = net(data.test.x.double())
        val = F.cross_entropy(net(data.val.x.double()), data.val.y).item()
    figures = {"test_loss": F.cross_entropy(outputs, data.test.y).item(), "val_loss": val}
    return net.state_dict(), figures, stopped, best_at or None


CASES = {
    "adam": {},
    "adam dropout=0.2": {"dropout": 0.2},
    "adam dropout=0.5": {"dropout": 0.5},
    "adam l2=0.05": {"l2": 0.05},
    "adam l1=0.01": {"l1": 0.01},
    "adam weight_decay=0.3": {"weight_decay": 0.3},
    "sgd batch_norm": {"batch_norm": True},
    "adam noise=0.3": {"augment": Augment(Noise(0.3))},
    "adam mixup=0.5": {"augment": Augment(Mixup(0.5, 3))},
    "adam label_smoothing=0.2": {"label_smoothing": 0.2},
    "adam early_stopping=1": {"early_stopping": 1},
    "adam tanh": {"activation": "tanh"},
    "adam maxout": {"activation": "maxout"},
    "sgd tanh, batch_norm, dropout=0.5, l1=0.01, noise=0.3, early_stopping=1": {
        "activation": "tanh", "batch_norm": True, "dropout": 0.5, "l1": 0.01, "augment": Augment(Noise(0.3)),
        "early_stopping": 1,
    },
}  # fmt: skip


def raced(given, rules="adam"):
    return slalom.race(
        "mlp:8", "iris", rules=rules, lrs=LR, seeds=[0, 5], epochs=EPOCHS, batch_size=BATCH, dtype="float64", **given
    )


@pytest.fixture(scope="module")
def runs():
    """Races of each axis, and one of several at once."""
    several = {"activation": "tanh", "batch_norm": True, "dropout": [0.5, 0.1], "l1": [0.01, 0.1], "augment": "noise=.3"}
    norm = [raced({"batch_norm": True}, "sgd"), raced({**several, "early_stopping": 1}, "sgd")]
    return [*(raced(given) for given in GIVEN), *norm]


@pytest.mark.parametrize("label", CASES)
def test_a_lane_is_the_run_alone(runs, label) -> None:
    found = [(run, lane) for run in runs for lane in run.lanes if lane.rule == label][-2:]
    assert len(found) == 2  # one a seed
    for run, lane in found:
        weights, figures, stopped, best_at = alone(lane.seed, label.split()[0], **CASES[label])
        ours = run.weights(lane.lane)
        for mine, theirs in zip(ours.values(), weights.values(), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)
        assert lane.val_loss == pytest.approx(figures["val_loss"], rel=1e-6)  # curves are kept in float32
        assert lane.test_loss == pytest.approx(figures["test_loss"], rel=1e-10)
        assert (lane.stopped_epoch, lane.kept_epoch) == (stopped, best_at)


def test_a_lane_that_stops_has_its_best_weights_back() -> None:
    given = {"rules": "adam", "lrs": 0.3, "seeds": [0, 5], "epochs": 12, "batch_size": BATCH, "dtype": "float64"}
    run = slalom.race("mlp:8", "iris", early_stopping=[1, 3], **given)
    seen = []
    for lane in run.lanes:
        patience = lane.variant["early_stopping"]["patience"]
        weights, figures, stopped, best_at = alone(lane.seed, lr=0.3, epochs=12, early_stopping=patience)
        assert (lane.stopped_epoch, lane.kept_epoch) == (stopped, best_at)
        assert lane.test_loss == pytest.approx(figures["test_loss"], rel=1e-9)
        for mine, theirs in zip(run.weights(lane.lane).values(), weights.values(), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)
        seen.append(stopped is not None and best_at < stopped)
    assert sum(seen) >= 2


def test_lanes_of_one_architecture_share_a_heat_and_are_the_same_in_other_company(runs) -> None:
    together = raced({"dropout": [0.2, 0.5, 0.7], "l1": [0, 0.01]})
    (heat,) = together._heats
    assert len(heat.lanes) == 12
    by_itself = raced({"dropout": 0.2})
    for lane in by_itself.lanes:
        (twin,) = [k for k in together.lanes if (k.rule, k.seed) == (lane.rule, lane.seed)]
        assert all(torch.equal(v, together.weights(twin.lane)[k]) for k, v in by_itself.weights(lane.lane).items())
