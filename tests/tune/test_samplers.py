"""Samplers: functions of seed and history, resumable to the bit, and better than chance where they claim to be."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from slalom.core.errors import BadValueError, SlalomError, UnknownNameError
from slalom.tune import Categorical, Float, Int, Space
from slalom.tune.samplers import chosen, sampler_of
from slalom.tune.samplers.base import Past
from slalom.tune.samplers.plain import GridSearch, grid_points
from slalom.tune.samplers.study import at_level, distribution, inward, level_of, outward

SPACE = Space(
    {
        "lr": Float(1e-4, 1, log=True), "optimizer": Categorical(["sgd", "adam"]), "adam.b1": Float(0.5, 0.99, near_one=True),
        "batch_size": Int(16, 128, powers=True), "units": Int(8, 256, log=True), "dropout": Float(0, 0.5),
    }
)  # fmt: skip
SMOOTH = Space({"a": Float(0, 1), "b": Float(1e-3, 1, log=True), "c": Int(1, 50), "d": Float(-1, 1)})


def bowl(point):
    values = [SMOOTH[k].unit(point[k]) for k in SMOOTH]
    return sum((u - 0.3) ** 2 * w for u, w in zip(values, [1, 3, 9, 27], strict=True))


def made(method, space=SPACE, seed=0, trials=96, batch=12, points=None):
    return sampler_of(method, space, seed, trials=trials, batch=batch, points=points, storage=None)


def search(method, space, value, trials, batch, seed):
    """A search with a third of each batch pruned, as halving does."""
    sampler, history = made(method, space, seed, trials, batch), []
    while len(history) < trials:
        asked = sampler.ask(batch, history)
        worth = [value(a.point) for a in asked]
        cut = sorted(worth)[batch // 3]
        start = len(history)
        history += [
            Past(start + i, a.point, v, 27 if v < cut else 3, v < cut, a.attrs)
            for i, (a, v) in enumerate(zip(asked, worth, strict=True))
        ]
    return history


@pytest.mark.parametrize("method", ["random", "annealing", "cma", "evolution", "bayesian"])
def test_a_resumed_sampler_goes_on_as_if_it_had_not_stopped(method):
    def value(p):
        return abs(math.log10(p["lr"]) + 2) + p["dropout"] + (p["optimizer"] == "sgd")

    sampler, history = made(method), []
    for _ in range(4):
        asked = sampler.ask(12, history)
        start = len(history)
        history += [Past(start + i, a.point, value(a.point), 3, i % 3 == 0, a.attrs) for i, a in enumerate(asked)]
        for past in history:
            for name, v in past.point.items():
                SPACE[name].check(name, v)
    under_way = [*history, *[Past(len(history) + i, SPACE.random(9, i)) for i in range(2)]]
    assert [a.point for a in made(method).ask(5, under_way)] == [a.point for a in sampler.ask(5, under_way)]
    assert [a.point for a in made(method, seed=1).ask(5, history)] != [a.point for a in made(method).ask(5, history)]


def test_points_of_a_batch_are_those_that_optunas_own_tpe_gives():
    """Optuna asked one by one, its densities in its own Python; trials of all kinds, some under way, of all kinds of number."""
    import optuna
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rng = np.random.default_rng(0)
    worth = [None if i < 60 and i % 2 else float(rng.random()) for i in range(150)]
    history = [Past(i, SPACE.random(5, i), w, 3 + 6 * (i % 4), i % 3 == 0) for i, w in enumerate(worth)]
    ours = made("bayesian", batch=8).ask(8, history)
    kinds = {k: distribution(p) for k, p in SPACE.params.items()}
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=len(history)))
    for p in history:
        state = TrialState.RUNNING if p.value is None else TrialState.COMPLETE if p.finished else TrialState.PRUNED
        told = {"value": p.value} if state == TrialState.COMPLETE else {}
        told |= {"intermediate_values": {p.epoch: p.value}} if state == TrialState.PRUNED else {}
        params = {k: outward(SPACE[k], v) for k, v in p.point.items()}
        study.add_trial(create_trial(state=state, params=params, distributions=kinds, **told))
    *modelled, second, last = ours  # two of eight are random
    assert [second.point, last.point] == [SPACE.random(0, i) for i in (156, 157)]
    for asked in modelled:
        theirs = study.ask(kinds).params
        assert asked.point == {
            k: pytest.approx(inward(SPACE[k], theirs[k]), rel=1e-9) if k != "optimizer" else theirs[k] for k in SPACE
        }


def test_a_model_compares_trials_at_the_highest_epoch_that_enough_have_come_to():
    """By hand: 12 were measured at 1 and 3, 4 of them at 9; best at 3 is who is worst at 9."""
    curves = [((1, 0.5), (3, 0.1 * i), *([(9, 1.0 - 0.1 * i)] if i < 4 else [])) for i in range(12)]
    early = [Past(20 + i, SPACE.random(1, i), 0.9, 1, False, {}, ((1, 0.9),)) for i in range(5)]
    past = [Past(i, SPACE.random(0, i), c[-1][1], c[-1][0], len(c) == 3, {}, c) for i, c in enumerate(curves)]
    assert level_of([*past, *early]) == 3
    assert [at_level(p, 3).value for p in past] == [0.1 * i for i in range(12)]
    assert all(at_level(p, 3).finished for p in past)
    assert [at_level(p, 3) for p in early] == early  # they came less far: behind all others
    assert level_of([*past[2:6], *early]) == 1  # too few anywhere
    under_way = [Past(50, SPACE.random(2, 0))]
    assert level_of([*past, *early, *under_way]) == 3
    whole = [Past(i, p.point, 0.5, 9, True, {}, ((9, 0.5),)) for i, p in enumerate(past)]
    assert level_of(whole) is None  # nothing was pruned: Optuna's TPE as it is


def test_densities_are_optunas_to_rounding():
    from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator

    from slalom.tune.samplers.tpe import BatchTPE, _Parzen

    kinds = {k: distribution(p) for k, p in SPACE.params.items()}
    points = [{k: outward(p, SPACE.random(3, i)[k]) for k, p in SPACE.params.items()} for i in range(200)]
    rows = {k: np.array([d.to_internal_repr(p[k]) for p in points], dtype=float) for k, d in kinds.items()}
    given = [{k: v[:150] for k, v in rows.items()}, kinds, BatchTPE(kinds, 0)._parzen_estimator_parameters]
    asked = {k: v[100:] for k, v in rows.items()}
    assert np.allclose(_Parzen(*given).log_pdf(asked), _ParzenEstimator(*given).log_pdf(asked), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("method", "trials"), [("annealing", 120), ("cma", 120), ("evolution", 120), ("bayesian", 72)])
def test_searches_beat_random_points_on_a_bowl(method, trials):
    seeds = range(5)
    ours = [min(p.value for p in search(method, SMOOTH, bowl, trials, 12, s)) for s in seeds]
    random = [min(bowl(SMOOTH.random(s, i)) for i in range(trials)) for s in seeds]
    assert np.median(ours) < np.median(random)


def test_a_grid_has_every_combination_once_however_it_is_asked():
    space = Space({"a": Float(0, 1), "b": Categorical(["x", "y"]), "c": Int(1, 2).when(b="y")})
    whole = made("grid", space, points=3)
    assert isinstance(whole, GridSearch)
    everything = {tuple(space.active(a.point).items()) for a in whole.ask(99, [])}
    expected = {(("a", a), ("b", "x")) for a in (0.0, 0.5, 1.0)}
    expected |= {(("a", a), ("b", "y"), ("c", c)) for a, c in itertools.product((0.0, 0.5, 1.0), (1, 2))}
    assert everything == expected
    history: list[Past] = []
    for count in (2, 4, 1, 9):  # asked anew each time, as after resuming
        asked = made("grid", space, points=3).ask(count, history)
        history += [Past(len(history) + i, a.point, 1.0) for i, a in enumerate(asked)]
    assert len(history) == 9
    assert {tuple(space.active(p.point).items()) for p in history} == expected
    assert made("grid", space, points=3).ask(3, history) == []
    assert grid_points(Space({"a": Float(0, 1), "b": Float(0, 1)}), 30) == 5


def test_values_travel_to_optuna_and_back():
    for param in (*SMOOTH.params.values(), *SPACE.params.values()):
        for u in np.linspace(0, 1, 21):
            value = param.at(float(u))
            theirs = outward(param, value)
            assert distribution(param)._contains(distribution(param).to_internal_repr(theirs))
            back = inward(param, theirs)
            assert back == value or back == pytest.approx(value, rel=1e-9)


def test_auto_says_which_and_why():
    few = Space({"optimizer": Categorical(["sgd", "adam"]), "layers": Int(1, 3)})
    assert chosen("auto", few, 100).method == "grid"
    assert "6 combinations" in chosen("auto", few, 100).why
    assert chosen("auto", SPACE, 10).method == "random"
    assert chosen("auto", SPACE, 200).method == chosen("auto", SPACE, None).method == "bayesian"
    assert chosen("auto", SPACE, 5000).method == "evolution"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: chosen("bayes", SPACE, 10), "did you mean 'bayesian'"),
        (lambda: chosen("gp", SPACE, 1000), "at most 250"),
        (lambda: made("cma", Space({"a": Categorical([1, 2])})), "at least two numbers"),
        (lambda: made("grid", SPACE, points=50), "the grid has"),
    ],
)
def test_what_a_method_cannot_do_is_said(call, said):
    with pytest.raises((BadValueError, UnknownNameError), match=said) as caught:
        call()
    assert isinstance(caught.value, SlalomError)
