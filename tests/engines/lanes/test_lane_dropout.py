"""A share of dropout for each lane, by every mechanism, against a model with that share in it; stopping and putting back."""

import pytest
import torch
from torch import nn

import slalom
from slalom.core.errors import BadValueError

torch.manual_seed(1)
X, Y = torch.randn(24, 6), torch.randint(0, 3, (24,))
SHARES = [0.0, 0.2, 1 / 3, 0.9]


def factory(p):
    def make():
        inner = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(p))
        return nn.Sequential(inner, nn.Linear(8, 8), nn.Tanh(), nn.Dropout(p), nn.Linear(8, 3))

    return make


def lanes(p, mechanism, **more):
    many = slalom.lanes_of("sgd", lr=0.1, momentum=0.9, seed=[3] * len(more.get("dropout", [0])), **more)
    return slalom.Lanes(factory(p), many, loss="cross_entropy", example=(X, Y), mechanism=mechanism, dtype=torch.float64)


@pytest.mark.parametrize("mechanism", ["native", "stacked", "traced", "vmap", "solo"])
def test_a_lanes_share_is_its_own(mechanism):
    together = lanes(0.5, mechanism, dropout=[*SHARES, None])
    assert together.choice.name == mechanism
    alone = {p: lanes(p, "solo") for p in [*SHARES[1:], 0.5]}
    for _ in range(6):
        together.step(X, Y)
        for one in alone.values():
            one.step(X, Y)
    for i, p in enumerate([*SHARES, 0.5]):
        if p == 0:
            continue
        ours, theirs = together.weights(i), alone[p].weights(0)
        assert ours.keys() == theirs.keys()
        for k in theirs:
            torch.testing.assert_close(ours[k], theirs[k], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(together.predict(X)[i], alone[p].predict(X)[0], rtol=1e-10, atol=1e-10)
        assert [m.p for m in together.module(i).modules() if type(m) is nn.Dropout] == [p, p]


def test_no_dropout_is_none():
    plain = slalom.Lanes(
        lambda: nn.Sequential(*(m for m in factory(0.0)() if not isinstance(m, nn.Dropout))),
        slalom.lanes_of("sgd", lr=0.1, momentum=0.9, seed=3), loss="cross_entropy", example=(X, Y), dtype=torch.float64,
    )  # fmt: skip
    one = lanes(0.5, "auto", dropout=[0.0, 0.7])
    for _ in range(6):
        plain.step(X, Y)
        one.step(X, Y)
    for a, b in zip(one.weights(0).values(), plain.weights(0).values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_a_lane_goes_on_by_itself_with_its_share():
    every, two = lanes(0.5, "auto", dropout=SHARES), lanes(0.5, "auto", dropout=SHARES)
    for _ in range(3):
        every.step(X, Y)
        two.step(X, Y)
    two = two.only([3, 1])
    for _ in range(3):
        every.step(X, Y)
        two.step(X, Y)
    for i, k in enumerate([3, 1]):
        assert all(torch.equal(v, every.weights(k)[name]) for name, v in two.weights(i).items())


def test_what_is_put_back_is_measured_of_a_lane_that_has_stopped():
    made = lanes(0.5, "auto", dropout=SHARES)
    measure = [lambda outputs, targets: nn.functional.cross_entropy(outputs, targets)]
    made.step(X, Y)
    kept, before = made.weights(2), made.evaluate(X, Y, measure)[0]
    made.step(X, Y)
    made.stop([2])
    made.step(X, Y)
    made.restore(2, kept)
    after, told = made.evaluate(X, Y, measure)[0], made.evaluate(X, Y, measure, stopped=[2])[0]
    assert after[2] != after[2]
    assert told[2] == before[2]
    assert (told[[0, 1, 3]] == after[[0, 1, 3]]).all()
    assert (told[[0, 1, 3]] != before[[0, 1, 3]]).all()


def test_what_cannot_drop_is_refused():
    with pytest.raises(BadValueError, match=r"no nn\.Dropout"):
        slalom.Lanes(nn.Linear(6, 3), slalom.lanes_of("sgd", dropout=0.1), loss="cross_entropy", example=(X, Y))
    for share in (1.0, -0.1, True, "a"):
        with pytest.raises(BadValueError, match=r"share in \[0, 1\)"):
            slalom.Lane(slalom.lanes_of("sgd")[0].optimizer, dropout=share)
