"""Verdicts on synthetic outcomes: a true effect, none, a reversed one; so that a verdict can be wrong."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from slalom.claims import Interval, Outcome, T, above, below, control, decide, interval, within
from slalom.claims.decide import seeds_needed
from slalom.core.errors import BadValueError

_spec = importlib.util.spec_from_file_location("claims_synthetic", Path(__file__).parent / "synthetic.py")
synthetic = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(synthetic)
values, outcome = synthetic.values, synthetic.outcome

NAME = T("effect", "效应")


@pytest.mark.parametrize(
    ("mean", "kind", "state"), [(5.0, "holds", "held"), (0.0, "fails", "not seen"), (-5.0, "fails", "reversed")]
)
def test_one_effect(mean, kind, state):
    verdict = decide([above("gain", NAME)], outcome(gain=mean))
    assert verdict.kind == kind
    assert verdict.states == {"gain": state}


def test_the_interval_is_students():
    v = values(0.7)
    low, high = stats.t.interval(0.95, len(v) - 1, loc=np.mean(v), scale=stats.sem(v))
    found = interval(v)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)
    assert interval([3.0]) == Interval(3.0, 3.0, 3.0, 0.0, 1)


def test_no_effect_is_rarely_found():
    """The rule's own error: 2000 outcomes without an effect, of which it calls at most a few in a hundred held."""
    found = [decide([above("gain", NAME)], outcome(gain=values(0.0, seed=s))).kind for s in range(2000)]
    assert found.count("holds") / len(found) < 0.025


def test_settings_that_disagree_depend():
    rule = [above("axis", NAME), above("rotated", NAME)]
    assert decide(rule, outcome(axis=5.0, rotated=-5.0)).kind == "depends"
    assert decide(rule, outcome(axis=5.0, rotated=5.0)).kind == "holds"
    assert decide(rule, outcome(axis=-5.0, rotated=0.0)).kind == "fails"


def test_alike_needs_the_interval_within_the_margin():
    rule = [within("difference", NAME, 2.0)]
    assert decide(rule, outcome(difference=0.0)).kind == "holds"
    assert decide(rule, outcome(difference=5.0)).states["difference"] == "reversed"
    assert decide(rule, outcome(difference=values(0.0, sd=20.0))).states["difference"] == "not seen"


def test_alike_without_a_control_apart_is_undecided():
    rule = [within("alike", NAME, 2.0), control(above("outsider", NAME, 2.0))]
    assert decide(rule, outcome(alike=0.0, outsider=8.0)).kind == "holds"
    verdict = decide(rule, outcome(alike=0.0, outsider=0.0))
    assert verdict.kind == "undecided"
    assert "control" in verdict.why
    assert decide(rule, outcome(alike=8.0, outsider=0.0)).kind == "fails"


def test_two_sets_of_seeds_that_disagree_are_undecided():
    up, down = tuple(np.linspace(4, 6, 5)), tuple(np.linspace(-6, -4, 5))
    verdict = decide([above("gain", NAME)], outcome(gain=up + down))
    assert verdict.kind == "undecided"
    assert verdict.sides == ("holds", "fails", "fails")
    weak = decide([above("gain", NAME)], outcome(gain=(1.0, 1.1, 0.9, 1.0, 1.1, 3.0, -2.0, 2.5, -1.0, 2.6)))
    assert weak.kind == "undecided"
    assert weak.seeds > 5


def test_more_seeds_may_show_more_but_not_take_back():
    """Two sets that are each too small for an effect agree; all seeds together find it."""
    small = (1.0, 3.2, -0.4, 1.1, 3.0)
    assert interval(small).low < 0 < interval(small + small).low
    assert decide([above("gain", NAME)], outcome(gain=small + small)).kind == "holds"
    up, down = (5.0, 6.0, 5.5, 5.2, 5.8), (-5.0, -6.0, -5.5, -5.2, -5.8)
    crossed = decide([above("a", NAME), above("b", NAME)], outcome(a=up + down, b=down + up))
    assert crossed.sides == ("depends", "depends", "fails")
    assert crossed.kind == "undecided"


def test_seeds_needed_have_the_power_that_is_said():
    """Against a simulation: with so many seeds, four sets of five find an effect of that size."""
    rule, spread = above("gain", NAME), Interval(0.5, -0.2, 1.2, 1.0, 10)
    n = seeds_needed(rule, spread)
    rng = np.random.default_rng(0)
    found = [interval(tuple(0.5 + rng.standard_normal(n))).low > 0 for _ in range(2000)]
    assert 0.75 < np.mean(found) < 0.87
    assert seeds_needed(rule, Interval(1e-4, -1, 1, 1.0, 10)) is None
    assert seeds_needed(rule, Interval(0.0, -1, 1, 1.0, 10)) is None


def test_exact_values_have_no_spread():
    assert decide([below("error", NAME, 1e-12)], Outcome({"error": (1e-16,)})).kind == "holds"
    assert decide([below("error", NAME, 1e-12)], Outcome({"error": (1e-3,)})).kind == "fails"
    assert not Outcome({"error": (1e-3,)}).seeded


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: Outcome({"a": ()}), "no value"),
        (lambda: Outcome({"a": (1.0, 2.0, 3.0)}), "even number"),
        (lambda: Outcome({"a": (1.0, math.nan)}), "nan"),
        (lambda: decide([above("b", NAME)], Outcome({"a": (1.0,)})), "lacks b"),
        (lambda: decide([], Outcome({"a": (1.0,)})), "lacks any criterion"),
    ],
)
def test_bad_outcomes_are_refused(made, said):
    with pytest.raises(BadValueError, match=said):
        made()
