"""The parts: a program without its gradient, what rests, the journal, and what is compiled."""

import warnings

import numpy as np
import pytest
import torch

import slalom.optim
from slalom import rules
from slalom.engines.kernels.compiler import NoCompilerError
from slalom.engines.printers.nodes import G0, walk
from slalom.engines.printers.tree import inlined, program
from slalom.engines.sparse import kernels
from slalom.engines.sparse.behind import NEVER
from slalom.engines.sparse.journal import FIRST
from slalom.engines.sparse.zero import rest, without_gradient
from tests.engines.sparse.twins import OPTIMIZERS, V, W, chosen, gradients, run, sparse, table

MODE = "dense-equivalent"
COMPILED = [name for name in OPTIMIZERS if name != "windowed_adadelta"]


@pytest.mark.parametrize("rule", COMPILED)
def test_a_program_without_gradient_reads_none(rule):
    for case in chosen(rule, every=True):
        made = without_gradient(program(case.settings))
        for node in (made.p, *made.states.values()):
            assert G0 not in set(walk(inlined(made, node)))


def test_what_vanishes_is_left_out():
    made = without_gradient(program(rules.rmsprop(momentum=0.9)))
    assert [a.target.name for a in made.assigns] == ["v", "b", "p"]
    assert len(program(rules.rmsprop(momentum=0.9)).assigns) == 4


@pytest.mark.parametrize(
    ("settings", "always", "untouched"),
    [
        (rules.sgd(), True, True),
        (rules.sgd(weight_decay=0.1), False, False),
        (rules.sgd(momentum=0.9), False, True),
        (rules.sgd(lr=0.0, weight_decay=0.1), True, True),
        (rules.adagrad(), True, True),
        (rules.adagrad(lr_decay=0.1, initial_accumulator_value=0.5), True, True),
        (rules.adagrad(weight_decay=0.1), False, False),
        (rules.adam(), False, True),
        (rules.adam(weight_decay=1e-9), False, False),
        (rules.adamw(), False, False),
        (rules.adamax(), False, False),  # u becomes eps
        (rules.adamax(convention="paper"), False, True),
        (rules.rmsprop(convention="tf"), False, False),  # the mean square starts at 1 and shrinks
        (rules.rmsprop(alpha=1.0, initial_accumulator_value=1.0), True, True),
        (rules.windowed_adadelta(), False, True),
        (rules.nadam(), False, True),
    ],
)
def test_what_rests_is_found_by_trying(settings, always, untouched):
    found = rest(settings)
    assert (found.always, found.untouched, found.finite) == (always, untouched, True)


def test_rows_that_never_had_a_gradient_have_nothing_to_catch_up():
    p, q = table(), table()
    a = run(slalom.optim.Adam([p], sparse=MODE), p, gradients(10), dense=False)
    assert (a._behind[p].seen[-2:] == NEVER).all()
    b = run(slalom.optim.AdamW([q], sparse=MODE), q, gradients(10), dense=False)
    assert (b._behind[q].seen[-2:] == 0).all()


def test_the_journal_keeps_what_the_latest_row_has_missed_and_no_more():
    p = table()
    optimizer = slalom.optim.Adam([p], sparse=MODE)
    both = sparse([0, 1], torch.ones(2, W, dtype=torch.float64))
    for t in range(5 * FIRST):
        p.grad = both if t % 10 == 0 else sparse([1], torch.ones(1, W, dtype=torch.float64))
        optimizer.step()
        journal = optimizer._behind[p].journal
        assert journal.start <= int(optimizer._behind[p].seen[0])
    assert journal.end == 5 * FIRST
    assert len(journal._rows) <= 2 * FIRST
    optimizer.catch_up()
    assert journal.count == 0


def test_lookups_with_repeats_from_several_threads_replay_each_row_once():
    p, q = (torch.nn.Parameter(torch.ones(50, 1000)) for _ in range(2))
    every, none = sparse(torch.arange(50), torch.ones(50, 1000), (50, 1000)), sparse([], torch.ones(0, 1000), (50, 1000))
    a, b = (slalom.optim.SGD([x], sparse=MODE, momentum=0.9, lr=0.01) for x in (p, q))
    for o, x in ((a, p), (b, q)):
        run(o, x, [every] + [none] * 20, dense=False)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        a.catch_up(p, torch.arange(50).repeat(20))
    finally:
        torch.set_num_threads(before)
    b.catch_up()
    assert torch.equal(p, q)


def test_without_a_compiler_it_is_said_once_and_rows_are_stepped_by_torch(monkeypatch):
    def none(*_):
        raise NoCompilerError("there is none")

    monkeypatch.setattr(kernels, "_made", {})
    monkeypatch.setattr(kernels, "_warned", False)
    monkeypatch.setattr(kernels.cache, "library", none)
    p, q = table(), table()
    with pytest.warns(RuntimeWarning, match="steps rows without compiled code, several times slower: there is none"):
        a = run(slalom.optim.Adam([p], sparse=MODE), p, gradients(1), dense=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(a, p, gradients(9, seed=2), dense=False).catch_up()
    monkeypatch.undo()
    b = run(slalom.optim.Adam([q], sparse=MODE), q, [*gradients(1), *gradients(9, seed=2)], dense=False)
    b.catch_up()
    torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)


def test_nothing_is_compiled_anew_when_hypers_change(monkeypatch):
    p = table()
    optimizer = slalom.optim.Adam([p], sparse=MODE)
    run(optimizer, p, gradients(4), dense=False).catch_up()
    monkeypatch.setattr(kernels.cache, "library", None)

    def change(group, t):
        group.update(lr=0.1 / t, betas=(0.9 - 0.01 * t, 0.99), eps=1e-8 * t)

    run(optimizer, p, gradients(6), dense=False, change=change).catch_up()


def test_counts_and_values_of_many_rows():
    # Far apart counts take another way through the table of distinct ones.
    from slalom.engines.sparse.lazy import _distinct

    taken = torch.tensor([3, 100_000, 3, 7], dtype=torch.int32)
    for counts_now, whole in ((taken, 100_001), (torch.tensor([3, 5, 3, 9], dtype=torch.int32), 11)):
        told, which = _distinct(counts_now, whole, [], [], {})
        assert told[0][which].tolist() == [*counts_now.tolist(), whole]
        assert len(np.unique(told)) == told.shape[1]
    assert len(table()) == V
