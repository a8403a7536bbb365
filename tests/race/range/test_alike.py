"""Rates trained for different numbers of steps are judged alike: where too slow ends, and where diverging starts."""

from __future__ import annotations

import numpy as np
import pytest

from slalom.race.range.alike import alike
from slalom.race.range.allocation import BUDGET, FIRST, HIGH, LOW, Board, Look, staged
from slalom.race.range.curve import SHARE
from slalom.race.range.make import TAIL, from_search
from tests.race.range.problems import Scripted


def cold(lr, seed, t):
    """Falls as exp(-lr t / 10) from 1, and has no finite loss from lr 3 on."""
    return np.where(lr < 3, np.exp(-lr * t / 10), np.inf)


def test_too_slow_ends_where_the_longest_look_would_have_reached_the_share():
    subject = Scripted(cold)
    found = from_search(subject, staged(subject, [0, 1], LOW, HIGH, BUDGET, widen=True), staged=True)
    most = max(point.steps for point in found.curve)
    rates = np.geomspace(1e-5, 1, 5001)
    last = np.arange(round(most * (1 - TAIL)), most)
    drop = 1 - np.exp(-rates[:, None] * last / 10).mean(1)  # of a whole of 1
    expected = rates[np.argmax(drop > SHARE)]
    assert np.log10(found.phases.slow_below) == pytest.approx(np.log10(expected), abs=0.26)  # midway between rungs
    early = [p for p in found.curve if p.steps == FIRST and expected * 2 < p.lr < found.suggestion]
    assert early  # hardly fallen in so few steps, and useful all the same
    assert {p.phase for p in early} == {"useful"}
    assert all(p.loss > 1 - SHARE for p in early[:1])
    assert found.phases.diverging_from == pytest.approx(3, rel=0.5)


def board(**curves):
    made = Board(Scripted(cold), [0])
    for rung, losses in curves.items():
        made.looks[int(rung[1:])] = Look(made.lr(int(rung[1:])), np.array(losses)[:, None])
    return made


def test_a_rate_above_the_best_differs_from_it_by_as_much_as_after_as_many_steps():
    best = np.exp(-np.arange(200) / 50)
    seen = board(r0=best, r1=best[:40], r2=best[:40] + 0.25, r3=np.full(10, np.inf))
    made = alike(seen, [0, 1, 2, 3], 0.3)
    np.testing.assert_allclose(made, [best[140:].mean()] * 2 + [best[140:].mean() + 0.25, np.inf])


def test_a_rate_below_the_best_is_as_far_as_a_higher_one_was_when_it_had_moved_as_far():
    high, low = np.linspace(1, 0, 200), np.linspace(1, 0.99, 20)
    made = alike(board(r0=high, **{"r-1": low, "r-2": low}), [-2, -1, 0], 0.3)
    steps = [20, round(200 / 10**0.5), 200]  # a tenth of the best's rate, and a root of that
    np.testing.assert_allclose(made, [high[int(n - round(n * 0.3)) : n].mean() for n in steps])
    # a rate whose own losses are lower than what a higher one stands in with keeps its own
    own = alike(board(r0=high, **{"r-1": np.full(190, 0.2)}), [-1, 0], 0.3)
    np.testing.assert_allclose(own[0], 0.2)
    # and one that was trained for as long as the longest keeps its own in any case
    full = alike(board(r0=high, **{"r-1": np.full(200, 0.9)}), [-1, 0], 0.3)
    np.testing.assert_allclose(full[0], 0.9)
