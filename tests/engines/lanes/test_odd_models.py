"""Modules with something unusual about them, lane by lane against the loop that everybody writes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import slalom.rules  # noqa: F401
from slalom.core.errors import BadValueError
from slalom.engines.lanes import Lanes, lanes_of
from tests.engines.lanes.test_lanes import X, Y, make, solo_torch, some_batches


def frozen() -> nn.Module:
    model = nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 5))
    model[0].weight.requires_grad_(False)
    return model


def same_module_twice() -> nn.Module:
    act = nn.Tanh()
    return nn.Sequential(nn.Linear(16, 8), act, nn.Linear(8, 8), act, nn.Linear(8, 5), nn.Dropout(0.0))


def plain_norm_twice() -> nn.Module:
    norm = nn.BatchNorm1d(8, affine=False)
    return nn.Sequential(nn.Linear(16, 8, bias=False), norm, nn.Tanh(), nn.Linear(8, 8, bias=False), norm, nn.Linear(8, 5))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 5)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.second(torch.tanh(self.first(x)))))


class Changes(nn.Module):
    """Changes its input in place, reassigns one buffer, counts in another (an integer) and has a parameter it never uses."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.unused = nn.Linear(16, 5), nn.Linear(2, 2)
        self.register_buffer("mean", torch.zeros(16))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("scratch", torch.zeros(3), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x.mul_(0.5)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
            self.steps.add_(1)
        return self.head(x - self.mean)


class Loops(Changes):
    """The same where torch.func cannot follow: one lane at a time."""

    def forward(self, x: Tensor) -> Tensor:
        if float(self.head.weight.detach().sum()) > 1e9:
            return self.head(x)
        return super().forward(x)


class Noisy(nn.Module):
    """Draws from torch's own generator, also when it is evaluated."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x + 0.1 * torch.randn_like(x))


CASES = [
    (frozen, "stacked"),
    (same_module_twice, "native"),
    (plain_norm_twice, "traced"),
    (Tied, "traced"),
    (Changes, "traced"),
    (Loops, "solo"),
]


@pytest.mark.parametrize(("model", "mechanism"), CASES)
def test_a_lane_is_the_torch_run_alone(model, mechanism: str) -> None:
    specs = lanes_of("sgd", lr=[0.05, 0.1, 0.2], seed=[0, 1, 2])
    lanes, batches, data = make(model, specs), some_batches(12), X.clone()
    assert lanes.choice.name == mechanism
    lanes.predict(data)
    losses, _ = lanes.epoch(data, Y, batches)
    assert torch.equal(data, X), "the caller's data were changed"
    for k, spec in enumerate(specs):
        module, alone = solo_torch(model, lambda p, lr=spec.lr: torch.optim.SGD(p, lr=lr), spec.seed, batches, torch.float64)
        assert losses[:, k] == pytest.approx(alone, rel=1e-11)
        weights = lanes.weights(k)
        assert weights.keys() == module.state_dict().keys()
        fresh = model().double()
        fresh.load_state_dict(weights)  # strictly
        for key, value in module.state_dict().items():
            torch.testing.assert_close(weights[key], value, rtol=1e-10, atol=1e-12)
        module.eval()
        with torch.no_grad():
            expected = module(X.double())
            torch.testing.assert_close(lanes.predict(X)[k], expected)
            torch.testing.assert_close(lanes.module(k).eval()(X.double()), expected)


def test_noise_of_a_model_is_a_lanes_own_and_leaves_the_callers_generator() -> None:
    specs = lanes_of("sgd", lr=[0.1, 0.1, 0.1], seed=[3, 3, 4])
    state = torch.get_rng_state()
    lanes = make(Noisy, specs)
    assert lanes.choice.name == "solo"
    losses, _ = lanes.epoch(X, Y, some_batches(5))
    assert torch.equal(lanes.predict(X), lanes.predict(X))
    assert (losses[:, 0] == losses[:, 1]).all()
    assert (losses[:, 0] != losses[:, 2]).all()
    assert torch.equal(torch.get_rng_state(), state)


def test_retirement_keeps_buffers_and_state() -> None:
    """What a retired lane holds is what a run of as many steps holds: parameters, buffers and the optimizer's state."""

    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(16, 6, bias=False), nn.BatchNorm1d(6), nn.Linear(6, 5))

    x, batches = X.clone(), [torch.arange(20) + 20 * k for k in range(6)]
    x[90] = float("inf")  # in the fifth batch
    specs = lanes_of("momentum", lr=[0.1, 0.2]) + lanes_of("nadam", lr=0.1) + lanes_of(torch.optim.SGD, lr=0.1)
    hit, short = make(model, specs, chunk=8), make(model, specs, chunk=8)
    hit.epoch(x, Y, batches)
    short.epoch(x, Y, batches[:4])
    assert {(r.step, r.last_finite_step) for r in hit.retired.values()} == {(5, 4)}
    for k in range(4):
        for key, value in short.weights(k).items():
            assert torch.equal(hit.weights(k)[key], value), key
    both = zip(hit.state_dict()["chunks"][0]["updates"], short.state_dict()["chunks"][0]["updates"], strict=True)
    rules = [(ours, theirs) for ours, theirs in both if "0" not in theirs]
    assert len(rules) == 2
    for ours, theirs in rules:
        assert theirs
        assert all(torch.equal(ours[k], theirs[k]) for k in theirs)


def test_a_torch_optimizer_that_overflows_leaves_the_last_finite_parameters() -> None:
    lanes = make(lambda: nn.Linear(16, 5), lanes_of(torch.optim.SGD, lr=[3e38, 0.1]), torch.float32)
    before = lanes.weights(0)
    lanes.epoch(1e3 * X, Y, some_batches(3))
    out = lanes.retired
    assert (list(out), out[0].step, out[0].reason) == ([0], 1, "the step made a parameter infinite or NaN")
    assert all(torch.equal(v, before[k]) for k, v in lanes.weights(0).items())
    assert lanes.retired.keys() == {0}


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.head(x), x


@pytest.mark.parametrize(
    ("model", "loss", "message"),
    [
        (lambda: nn.LazyLinear(5), "cross_entropy", "the parameter weight has no shape yet"),
        (Pair, "cross_entropy", "the model cannot take a batch .*tuple"),
        (lambda: nn.Linear(3, 5), "cross_entropy", r"the model cannot take a batch \[20, 16\].*shapes cannot be multiplied"),
        (lambda: nn.Linear(16, 2), "cross_entropy", "cannot be trained on a batch .*out of bounds"),
        (lambda: nn.Linear(16, 1), "mse", r"outputs \[20, 1\] do not fit targets \[20\] for mse"),
        (
            lambda: nn.Linear(16, 5),
            lambda o, t: nn.functional.cross_entropy(o, t, reduction="none"),
            "cannot be trained on a batch .*scalar",
        ),
    ],
)
def test_what_cannot_be_trained_is_told_at_once(model, loss, message: str) -> None:
    with pytest.raises(BadValueError, match=message):
        Lanes(model, lanes_of("sgd"), loss=loss, example=(X[:20], Y[:20]))


def test_the_state_of_another_model_is_refused() -> None:
    saved = make(lambda: nn.Linear(16, 5), lanes_of("sgd")).state_dict()
    with pytest.raises(BadValueError, match="the state is of another model"):
        make(lambda: nn.Linear(16, 5, bias=False), lanes_of("sgd")).load_state_dict(saved)


def test_hypers_may_be_arrays_and_tuples() -> None:
    assert [lane.lr for lane in lanes_of("adam", lr=torch.tensor([0.5, 0.25]))] == [0.5, 0.25]
    twins = lanes_of(torch.optim.Rprop, lr=[0.1, 0.2], etas=(0.4, 1.3))
    assert [lane.optimizer.arguments["etas"] for lane in twins] == [(0.4, 1.3)] * 2


class Branching(nn.Module):
    """A branch that depends on the data: fine alone, and for a batch that lanes share, but not for a batch of each lane's own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) if x.sum() > 0 else self.layer(-x)


class Broken(nn.Module):
    """Gives NaN from the first step."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) * float("nan")


def test_a_branch_on_the_data_runs_one_lane_at_a_time() -> None:
    lanes = Lanes(Branching, lanes_of("sgd", lr=[0.1, 0.2]), loss="cross_entropy", example=(X[:20], Y[:20]))
    assert lanes.choice.name == "solo"
    assert any("one lane at a time" in note for note in lanes.notes)
    losses, _ = lanes.epoch(X, Y, [torch.arange(40).view(2, 20)])
    assert np.isfinite(losses).all()


def test_a_model_that_gives_nan_retires() -> None:
    lanes = Lanes(Broken, lanes_of("sgd", lr=[0.1, 0.2]), loss="cross_entropy", example=(X[:20], Y[:20]))
    lanes.step(X[:20], Y[:20])
    assert sorted(lanes.retired) == [0, 1]
