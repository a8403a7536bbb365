"""Paths do what the classic animations show, and what NumPy, torch and closed forms say they must."""

import math

import numpy as np
import pytest
import torch

import slalom
from slalom.core.errors import BadValueError, UnknownNameError
from slalom.engines.lanes import lanes_of
from slalom.landscape.paths import walk
from slalom.landscape.surfaces import own_surface, surface
from slalom.landscape.teaching import teach


@pytest.fixture(scope="module")
def classic():
    """The four classic surfaces with the lrs picked by hand for them."""
    return {name: slalom.landscape(name) for name in ("saddle", "beale", "long_valley", "noisy_moons")}


def arrivals(made):
    return {p.rule.split("(")[0]: p.arrived for p in made.paths}


def test_who_leaves_the_saddle_when(classic):
    made = classic["saddle"]
    wanted = {"adadelta": 13, "adagrad": 17, "rmsprop": 29, "nag": 67, "momentum": 72, "sgd": None}
    assert {k: v for k, v in arrivals(made).items() if k in wanted} == wanted
    assert made["momentum"].points[:, 0].max() == pytest.approx(0.30, abs=0.005)  # overshoots across the pass
    assert made["nag"].points[:, 0].max() == pytest.approx(0.23, abs=0.005)
    assert made["sgd"].points[:, 0].max() < 0
    assert np.abs(made["sgd"].points[:, 1]).max() < 0.1


def test_momentum_shoots_across_beale(classic):
    made = classic["beale"]
    lowest = {p.rule.split("(")[0]: p.points[:, 1].min() for p in made.paths}
    assert lowest.pop("momentum") == pytest.approx(-1.6, abs=0.05)
    assert lowest.pop("nag") == pytest.approx(-1.3, abs=0.05)
    assert min(lowest.values()) > 0  # all others stay on their side


def test_momentum_swings_across_the_valley_then_runs(classic):
    made = classic["long_valley"]
    wanted = {"adadelta": 14, "adam": 44, "nag": 48, "momentum": 51, "sgd": None}
    assert {k: v for k, v in arrivals(made).items() if k in wanted} == wanted
    for rule in ("momentum", "nag"):
        path = made[rule].points
        crossings = np.flatnonzero(np.diff(np.sign(path[:, 0])))
        assert (crossings < made[rule].arrived).sum() >= 6
        assert np.abs(path[made[rule].arrived :, 0]).max() < 0.2  # by then it runs along the floor
    assert (np.diff(np.sign(made["sgd"].points[:, 0])) == 0).all()


def test_momentum_is_smooth_on_noisy_moons_and_overshoots(classic):
    made = classic["noisy_moons"]

    def roughness(rule):
        steps = np.diff(made[rule].points, axis=0)
        return np.linalg.norm(np.diff(steps, axis=0), axis=1).mean() / np.linalg.norm(steps, axis=1).mean()

    assert roughness("sgd") > 4 * roughness("momentum")
    optimum = made.surface.minima[0][0]
    assert made["momentum"].points[:, 0].max() > optimum + 1
    assert made["sgd"].points[:, 0].max() < optimum
    again = slalom.landscape("noisy_moons", ["sgd"], seed=1)
    assert not np.array_equal(again["sgd"].points, made["sgd"].points)
    assert np.array_equal(slalom.landscape("noisy_moons", ["sgd"])["sgd"].points, made["sgd"].points)


def test_rosenbrock():
    made = slalom.landscape("rosenbrock", ["adam", "sgd", "radam"])
    assert made["adam"].losses[-1] == pytest.approx(0.25, abs=0.01)
    assert made["sgd"].losses[-1] == pytest.approx(5.5, abs=0.05)


def tuned(rule, axes, grid, steps):
    """Fewest steps to f < 0.01 on the quadratic, in NumPy alone: `axes [2, 2]` are the directions of curvature 1 and 1000."""
    lr = np.array(grid)[:, None]
    p = np.tile(axes @ np.array([1.0, 0.7]), (len(grid), 1))
    v = np.zeros_like(p)
    arrived = np.full(len(grid), np.inf)
    with np.errstate(all="ignore"):
        for t in range(1, steps + 1):
            g = (p @ axes * [1, 1000]) @ axes.T
            v = 0.9 * v + g if rule == "momentum" else v + g * g if rule == "adagrad" else v
            p = p - lr * (g / (np.sqrt(v) + 1e-10) if rule == "adagrad" else v if rule == "momentum" else g)
            low = ((p @ axes) ** 2 * [1, 1000]).sum(1) / 2 < 0.01
            arrived = np.where(low & np.isinf(arrived), t, arrived)
    return arrived.min()


def test_turned_by_45_degrees_adagrad_loses_its_lead_and_momentum_does_not():
    c = math.sqrt(0.5)
    ways = (np.eye(2), np.array([[c, -c], [c, c]]))
    panels = teach("rotation").panels
    for axes, adagrad, (_, made) in zip(ways, (4, 1451), panels, strict=True):
        wanted = {rule: tuned(rule, axes, [t.lr for t in made.paths[0].trials], 1500) for rule in ("momentum", "adagrad")}
        assert wanted == {"momentum": 74, "adagrad": adagrad}
        assert wanted.items() <= arrivals(made).items()
        assert not any(p.at_edge for p in made.paths)
    upright, turned = (arrivals(made) for _, made in panels)
    for rule in ("adagrad", "rmsprop", "adam"):
        assert upright[rule] < upright["momentum"] < turned[rule]


def test_closed_form_of_gradient_descent():
    made = slalom.landscape("quadratic", ["sgd"], lr=5e-4, steps=40)
    t = np.arange(41)
    wanted = np.stack([(1 - 5e-4) ** t * 1.0, (1 - 0.5) ** t * 0.7], axis=1)
    np.testing.assert_allclose(made["sgd"].points, wanted, rtol=1e-12)
    np.testing.assert_allclose(made["sgd"].losses, (wanted**2 @ [1, 1000]) / 2, rtol=1e-12)


@pytest.mark.parametrize(
    ("rule", "make"),
    [
        ("adam", lambda p: torch.optim.Adam(p, lr=0.05)),
        ("nag", lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True)),
        ("torch.RAdam", lambda p: torch.optim.RAdam(p, lr=0.05)),
        ("adamw(weight_decay=0.1)", lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1)),
    ],
)
def test_every_step_is_torchs(rule, make):
    made = slalom.landscape("himmelblau", [rule], lr=0.05, rotate=20, steps=60, start=(-0.4, -1.0))
    ground = surface("himmelblau", 20)
    p = torch.tensor([-0.4, -1.0], dtype=torch.float64, requires_grad=True)
    optimizer = make([p])
    path = [p.detach().numpy().copy()]
    for _ in range(60):
        optimizer.zero_grad()
        ground(p[0], p[1]).backward()
        optimizer.step()
        path.append(p.detach().numpy().copy())
    found = made.paths[0].points
    seen = np.isfinite(found).all(1)
    np.testing.assert_allclose(found[seen], np.array(path)[seen], rtol=1e-9, atol=1e-9)
    assert seen.sum() > 1


def test_lbfgs_asks_more_than_once():
    made = slalom.landscape("booth", ["torch.LBFGS"], lr=1.0, steps=5)
    assert made.paths[0].arrived is not None
    assert made.paths[0].end < 1e-10


def test_a_lane_that_diverges_leaves_its_neighbours_alone():
    both = walk(surface("beale"), lanes_of("momentum", lr=[1e-3, 0.5]), 100)
    alone = walk(surface("beale"), lanes_of("momentum", lr=1e-3), 100)
    assert both.stopped[1] is not None
    assert both.stopped[0] is None
    assert np.array_equal(both.points[0], alone.points[0])
    assert np.isfinite(both.points[1, : both.stopped[1]]).all()
    assert np.isnan(both.points[1, both.stopped[1] :]).all()


def test_the_learning_rates_are_always_told():
    shared = slalom.landscape("booth", ["sgd", "adam"], lr=0.05)
    assert [p.lr for p in shared.paths] == [0.05, 0.05]
    assert shared.fairness.kind == "shared"
    band = slalom.landscape("booth", ["sgd", "adam"], lr=[0.01, 0.1])
    assert [(p.rule, p.lr) for p in band.paths] == [("sgd", 0.01), ("sgd", 0.1), ("adam", 0.01), ("adam", 0.1)]
    given = slalom.landscape("booth", ["sgd", "adam"], lr={"adam": 0.3, "sgd": 0.02})
    assert [p.lr for p in given.paths] == [0.02, 0.3]
    tuned = slalom.landscape("booth", ["sgd", "adam"], lr="tuned", grid=[0.01, 0.1, 1.0])
    assert "3 learning rates, 0.01 to 1, 120 steps each" in tuned.fairness.words
    assert all(len(p.trials) == 3 for p in tuned.paths)
    assert all(f"lr {p.lr:<9.3g}" in str(tuned) for p in tuned.paths)
    some = slalom.landscape("booth", ["sgd", "lp_adam"])
    assert "no lr is picked by hand for lp_adam" in some.notes[0]
    best = min(some["lp_adam"].trials, key=lambda t: (t.arrived is None, t.arrived))
    assert some["lp_adam"].arrived == best.arrived
    assert slalom.landscape("booth", ["sgd"], lr="tuned", grid=[1e-4, 1e-3, 1e-2])["sgd"].at_edge


def test_a_record_is_frozen_and_plain_as_a_dict():
    import json

    made = slalom.landscape(own_surface(lambda x, y: x**2 + y**2, start=(1.0, 1.0)), ["sgd"], lr=[0.1, 50.0], steps=50)
    with pytest.raises(ValueError, match="read-only"):
        made.paths[0].points[0, 0] = 3
    told = json.loads(json.dumps(made.to_dict(grid=5), allow_nan=False))
    assert told["paths"][1]["points"][-1] == [None, None]
    assert told["paths"][0]["lr"] == 0.1
    assert np.array(told["grid"]["z"]).shape == (5, 5)
    with pytest.raises(KeyError, match="no path of 'adam'"):
        made["adam"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lr": "best"}, "or None, got 'best'"),
        ({"lr": -1.0}, "lr must be a number in \\[0, inf\\), got -1.0"),
        ({"lr": []}, "empty list"),
        ({"lr": {"sgd": 0.1}}, "no learning rate for adam"),
        ({"lr": {"sgd": 0.1, "adma": 0.1}}, "did you mean 'adam'"),
        ({"steps": 0}, r"steps must be a whole number in 1..100000, got 0"),
        ({"seed": -1}, "seed must be"),
        ({"start": (0.0, math.nan)}, "start must be two finite numbers"),
        ({"grid": [0.1], "lr": "tuned"}, "at least two learning rates"),
        ({"grid": [0.1, 1.0], "lr": 0.1}, "leave it out with lr=0.1"),
        ({"seed": 3}, "draws the batches of a noisy surface"),
        ({"rules": ["adma"]}, "there is no rule 'adma'"),
    ],
)
def test_errors(given, said):
    with pytest.raises((BadValueError, UnknownNameError), match=said):
        slalom.landscape("booth", given.pop("rules", ["sgd", "adam"]), **given)
