"""Where the lanes method spends its steps, on losses that are written down; batches of a loader; stopping of a sweep."""

from __future__ import annotations

import numpy as np
import pytest
from torch.utils.data import DataLoader, TensorDataset

from slalom.race.range.allocation import BUDGET, FIRST, HIGH, LOW, every, staged
from slalom.race.range.heats import finite_or_inf
from slalom.race.range.make import from_search
from slalom.race.range.stream import Loader
from slalom.race.range.sweep import rates, sweep
from tests.race.range.problems import Scripted, X, Y


def cold(lr, seed, t):
    """Falls as exp(-lr t) from 1, and has no finite loss from lr 3 on."""
    return np.where(lr < 3, np.exp(-lr * t / 10), np.inf)


def warm(lr, seed, t):
    """A higher rate does damage first and wins in the end: of any short run the least loss is a rate's that does nothing."""
    damage = np.where(t < 30, 10 * lr, 0.0)
    fall = np.minimum(lr * t / 20, 0.9) * (t >= 30)
    return np.where(lr < 0.5, 1.0 + damage - fall, 9.0 + lr) + 0.01 * np.sin(t)


def test_no_more_is_spent_than_the_budget_and_most_on_the_last_three():
    subject = Scripted(cold)
    spent = staged(subject, [0], LOW, HIGH, BUDGET, widen=True)
    assert sum(subject.steps.values()) == spent.board.cost <= BUDGET
    assert len(subject.steps) == 15
    assert min(subject.steps.values()) == FIRST
    last = [len(spent.board.looks[r].losses) for r in spent.last if spent.board.looks[r].alive]
    assert len(set(last)) == 1
    assert last[0] == max(subject.steps.values())


def found_rates(spent, steps):
    return sorted(spent.board.lr(r) for r, look in spent.board.looks.items() if len(look.losses) >= steps)


def test_a_warm_start_is_looked_at_around_its_cliff():
    spent = staged(Scripted(warm), [0], LOW, HIGH, BUDGET, widen=True)
    found = from_search(Scripted(warm), spent, staged=True)
    # the damage, 10 lr, is above half of the loss from lr .05 on: rung .0316, three below it, one above, which waits, as its loss
    # is doubled; the best of the others is the highest, so it goes on after all, and is better; the last look is around it
    np.testing.assert_allclose(found_rates(spent, 70), 10 ** np.arange(-3, -0.4, 0.5))
    np.testing.assert_allclose([spent.board.lr(r) for r in spent.last], 10 ** np.arange(-1.5, -0.4, 0.5))
    assert spent.widened == 0
    assert 0.05 < found.suggestion < 0.4
    assert found.cost <= BUDGET


def second_look(loss):
    """The rates that went on after the first look."""
    subject = Scripted(loss)
    return staged(subject, [0], LOW, HIGH, BUDGET, widen=True), subject


def test_a_rate_that_leapt_away_and_back_is_not_believed():
    # from lr 1 on the loss leaps at step 1 and is least ever after, until it climbs; of the others .1 is best
    def leaps(lr, seed, t):
        calm = np.exp(-np.minimum(lr, 0.1) * t) + np.where(lr > 0.15, 0.2, 0.0)
        return np.where(lr < 0.9, calm, np.where(t == 0, 1.0, np.where(t == 1, 50.0 * lr, 0.01 + 0.01 * t)))

    spent, subject = second_look(leaps)
    assert 0.02 < from_search(subject, spent, staged=True).suggestion < 0.2
    assert max(found_rates(spent, 12)) < 0.9
    # the same without the leap is the best of the first look, and is looked at again
    flat = second_look(lambda lr, seed, t: np.where((lr >= 0.9) & (t == 1), 0.01, leaps(lr, seed, t)))[0]
    assert max(found_rates(flat, 12)) > 0.9


def test_of_rates_alike_the_first_look_goes_on_with_the_lowest():
    # from .1 on all do as well to within 5 % of the drop, the highest best; in the long run they climb the faster the higher
    def plateau(lr, seed, t):
        early = np.where(lr < 0.05, 1 - lr * t, np.where(t == 0, 1.0, 0.3 - 0.01 * np.log10(lr)))
        return early + np.where(lr >= 0.2, 1e-2 * t * lr, 0.0) * (t >= 6)

    spent, subject = second_look(plateau)
    assert min(found_rates(spent, 12)) < 0.04
    assert from_search(subject, spent, staged=True).suggestion < 0.4


def test_noise_does_not_undo_the_last_look():
    # before training the noise of a batch is .3 around 1, and the first six are easy; a warm start, whose losses fall by .1
    easy = np.random.default_rng(0).normal(0, 0.3, 2000)
    easy[:6] -= easy[:6].mean() + 0.15

    def noisy(lr, seed, t):
        return np.where(lr < 0.3, 1 - 0.1 * (1 - np.exp(-lr * t)), 3.0) + easy[t] + 0.2 * (t >= 6)

    spent = second_look(noisy)[0]
    assert spent.profile.loss.min() > spent.initial  # as measured, no rate has made it better
    assert spent.profile.loss.min() < spent.initial + 2 * 0.3 / 6**0.5 + 0.2
    np.testing.assert_allclose(spent.profile.x, np.log10([spent.board.lr(r) for r in spent.last]))


def test_what_went_wrong_in_the_end_gives_way_to_what_was_seen_before():
    # after step 75 every loss is far above the start, the higher the rate the more
    late = second_look(lambda lr, seed, t: np.where(lr < 3, np.exp(-lr * np.minimum(t, 60) / 10), 9.0) + 5 * (1 + lr) * (t > 75))
    spent, subject = late
    assert spent.falls
    assert spent.profile.x[0] < np.log10(spent.board.lr(spent.last[0])) - 0.4  # the first look's, whose losses were not raised
    assert from_search(subject, spent, staged=True).suggestion is not None


def test_widening_stops_at_a_flat_end():
    flat = Scripted(lambda lr, seed, t: np.where(lr < 1e-3, 1.0, 0.5 - 1e-6 * np.log(lr)) + 0 * t)
    spent = staged(flat, [0], 1e-5, 1e1, BUDGET, widen=True)
    assert spent.widened == 0
    assert max(lr for lr, _ in flat.steps) < 10.1
    falling = Scripted(lambda lr, seed, t: np.where(lr < 100, 1 / (1 + lr * (t + 1)), np.inf))
    assert staged(falling, [0], 1e-5, 1e0, BUDGET, widen=True).widened == 1
    assert staged(falling, [0], 1e-5, 1e0, BUDGET, widen=False).widened == 0
    lower = Scripted(lambda lr, seed, t: np.where(lr > 1e-5, 1.0, np.exp(-t)))  # best below the grid's lowest
    assert staged(lower, [0], 1e-5, 1e0, BUDGET, widen=True).widened == 1


def test_the_pick_reads_the_last_fifth():
    # all the while .1 is far better, in the last 20 of 100 steps 1e-2 is
    late = Scripted(lambda lr, seed, t: np.where(t < 80, 1 - 9 * lr * (lr < 0.5), 1 - 0.5 * np.isclose(lr, 1e-2)) + 0.0 * t)
    spent = every(late, [0], [1e-3, 1e-2, 1e-1, 1.0], 100, widen=False)
    np.testing.assert_allclose(spent.profile.loss, [1, 0.5, 1, 1])
    assert from_search(late, spent, staged=False).suggestion == pytest.approx(1e-2, rel=0.2)


def test_harder_batches_later_do_not_hide_that_the_loss_falls():
    # from step 5 on every loss is higher by 2, more than any rate takes away
    harder = Scripted(lambda lr, seed, t: np.where(lr < 3, np.exp(-lr * t / 10), np.inf) + 2.0 * (t >= 5))
    found = from_search(harder, staged(harder, [0], LOW, HIGH, BUDGET, widen=True), staged=True)
    assert 0.1 < found.suggestion < 3
    still = Scripted(lambda lr, seed, t: 1.0 + 0.1 * (t >= 5) + 0.0 * lr)  # no rate does anything
    assert from_search(still, staged(still, [0], LOW, HIGH, BUDGET, widen=True), staged=True).suggestion is None


def test_the_middle_seed_counts():
    # of three seeds one diverges at 1e-1 and another is lucky there
    def loss(lr, seed, t):
        return {0: np.where(lr > 0.05, np.inf, lr), 1: lr, 2: lr / 100}[seed] + 0.0 * t

    spent = every(Scripted(loss), [0, 1, 2], [1e-3, 1e-2, 1e-1], 10, widen=False)
    np.testing.assert_allclose(spent.profile.loss, [1e-3, 1e-2, 1e-1])


def test_rates_and_seeds_keep_their_own_losses_through_every_cut():
    subject = Scripted(lambda lr, seed, t: cold(lr, seed, t) + 1000 * seed + 1e-3 * t)
    spent = staged(subject, [0, 1, 2], LOW, HIGH, BUDGET, widen=True)
    for rung, look in spent.board.looks.items():
        t = np.arange(len(look.losses))
        for k in range(3):
            np.testing.assert_allclose(look.losses[:, k], subject.loss(spent.board.lr(rung), k, t))
    assert spent.board.cost == sum(subject.steps.values())


def test_a_loaders_batches_are_the_same_for_lanes_and_for_copies():
    made = Loader(DataLoader(TensorDataset(X, Y), 16, shuffle=True))
    seeds = [4, 9, 4]
    x, y, rows = made.feed(seeds, 1, 4)
    for k, index in enumerate(rows):
        for lane, seed in enumerate(seeds):
            expected = made.batch(seed, 1 + k)
            assert x[index[lane]].equal(expected[0])
            assert y[index[lane]].equal(expected[1])
    x, _, rows = made.feed([4, 4], 1, 4)
    assert all(x[index].equal(made.batch(4, 1 + k)[0]) for k, index in enumerate(rows))
    assert not made.batch(4, 1)[0].equal(made.batch(9, 1)[0])


def test_a_sweeps_seed_ends_where_it_diverged_and_the_others_go_on():
    def loss(lr, seed, t):
        return np.where(lr > (0.01 if seed == 0 else 1.0), 50.0, 1.0)

    subject = Scripted(loss)
    seen = sweep(subject, rates(1e-4, 10.0, 50, "exponential"), [0, 1])
    over = [int(np.argmax(seen.losses[:, k] > 4)) for k in (0, 1)]
    ends = [int(np.isfinite(seen.losses[:, k]).sum()) for k in (0, 1)]
    assert [over[k] < ends[k] <= over[k] + 8 for k in (0, 1)] == [True, True]
    assert seen.cost == sum(ends) < 100


def test_whatever_is_not_finite_is_infinitely_bad():
    np.testing.assert_array_equal(finite_or_inf(np.array([np.nan, -np.inf, np.inf, -2.0])), [np.inf, np.inf, np.inf, -2.0])
