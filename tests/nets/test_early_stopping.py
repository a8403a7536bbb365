"""Early stopping against sequences worked out by hand, and in lanes against each lane alone."""

import pytest
import torch
from torch import nn

import slalom
from slalom.core.errors import BadValueError
from slalom.nets import EarlyStopping

NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "more", "ends_at", "best_check"),
    [
        ([5, 4, 3, 3, 3, 3], {}, 6, 3),
        ([5, 4.95, 4.9, 4.85, 4], {"min_delta": 0.2}, 4, 1),
        ([0.1, 0.3, 0.2, 0.2, 0.2], {"higher_is_better": True}, 5, 2),
        ([2, NAN, NAN, NAN], {}, 4, 1),
        ([NAN, NAN, NAN], {}, 3, 0),
        ([5, 4, 6, 6, 3, 6, 6], {}, None, 5),
    ],
)
def test_it_stops_after_patience_checks_without_improvement(values, more, ends_at, best_check):
    net = nn.Linear(1, 1, bias=False)
    stopping = EarlyStopping(3, **more)
    ended = None
    for k, value in enumerate(values, 1):
        with torch.no_grad():
            net.weight.fill_(k)
        if stopping.step(value, net):
            ended = k
            break
    assert (ended, stopping.best_check) == (ends_at, best_check)
    assert net.weight.item() == ((best_check or ended) if ended else len(values))


def test_without_restore_weights_stay():
    net = nn.Linear(1, 1, bias=False)
    stopping = EarlyStopping(1, restore=False)
    stopping.step(1.0, net)
    with torch.no_grad():
        net.weight.fill_(9)
    assert stopping.step(2.0, net)
    assert net.weight.item() == 9


def test_each_lane_stops_alone_with_its_best_weights():
    torch.manual_seed(0)
    x, y = torch.randn(40, 3), torch.randint(0, 2, (40,))
    many = slalom.lanes_of("sgd", lr=[0.1, 0.1, 0.1])
    lanes = slalom.Lanes(lambda: nn.Linear(3, 2), many, loss="cross_entropy", example=(x, y))
    stopping = EarlyStopping(2)
    seen = [[1, 1, 1], [2, 0.5, 2], [2, 0.6, 0.5], [2, 0.7, 0.6], [2, 0.1, 0.7]]
    kept, stopped = [], []
    for row in seen:
        lanes.step(x, y)
        kept.append([lanes.weights(i)["weight"] for i in range(3)])
        stopped.append(stopping.step_lanes(row, lanes))
    assert stopped == [[], [], [0], [1], [2]]
    assert stopping.stopped
    for lane, best in enumerate((1, 2, 3)):
        assert stopping.lane(lane).best_check == best
        assert torch.equal(stopping.lane_weights(lane)["weight"], kept[best - 1][lane])
    assert torch.equal(lanes.weights(0)["weight"], kept[2][0])  # trained no further


@pytest.mark.parametrize("arguments", [{"patience": 0}, {"patience": True}, {"min_delta": -1}, {"min_delta": NAN}])
def test_bad_values_are_named(arguments):
    with pytest.raises(BadValueError, match="EarlyStopping: "):
        EarlyStopping(**arguments)
    with pytest.raises(BadValueError, match="a value for each of 2 lanes"):
        EarlyStopping(1).step_lanes([1.0], [None, None])
