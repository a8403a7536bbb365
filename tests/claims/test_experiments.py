"""The exact experiments and three cheap ones, end to end; some figures against what is not our code."""

import math

import numpy as np
import pytest
import torch

import slalom.claims as claims
from slalom.claims import Plan, every
from slalom.claims.lab.points import first_below, heights, turned
from slalom.claims.lab.training import Sweep, batches, decades, steps_to
from slalom.claims.optimizers.surfaces import saddle
from slalom.engines.lanes import lanes_of

EXACT = {
    "O3": "holds", "O27": "holds", "O28": "holds", "O36": "holds", "O38": "holds", "C1": "holds", "A11": "fails", "A13": "holds",
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_exact_claims(name):
    claim, run = every()[name]
    assert claims.decide(claim.criteria, run(Plan(1))).kind == EXACT[name]


def test_every_exact_claim_needs_no_seed():
    assert set(EXACT) <= {name for name, entry in every().items() if entry.claim.kind == "exact"}


def test_three_cheap_experiments_end_to_end(tmp_path):
    """Run, saved as they finish, read back with the same verdicts."""
    told = []
    run = claims.run(["L3", "O7", "A5"], seeds=3, directory=tmp_path / "run", on_result=told.append)
    assert [r.id for r in told] == ["O7", "L3", "A5"]
    assert {k: r.verdict.kind for k, r in run.results.items()}["A5"] == "holds"
    assert run.results["L3"].verdict.states == {"noise": "held", "no noise": "reversed"}
    again = claims.load_run(tmp_path / "run")
    assert {k: r.outcome for k, r in again.results.items()} == {k: r.outcome for k, r in run.results.items()}
    assert again.plan.seeds == 3
    assert again.environment["torch"] == torch.__version__


def test_points_are_gradient_descent_by_hand():
    """Heights of SGD on a turned saddle against the recursion x (1 - 2 lr), y (1 + 2 lr) in its own axes."""
    surface, start = turned(saddle, [1.0, 1e-3], 30.0)
    curve = heights(surface, start, lanes_of("sgd", lr=[0.1, 0.05]), 20)
    for k, lr in enumerate((0.1, 0.05)):
        t = np.arange(20)
        by_hand = (1 - 2 * lr) ** (2 * t) - 1e-6 * (1 + 2 * lr) ** (2 * t)
        np.testing.assert_allclose(curve[:, k], by_hand, rtol=1e-9, atol=1e-12)


def test_steps_until_a_level():
    curve = np.array([[3.0, 3.0], [1.0, 2.0], [0.1, 2.0]])
    assert first_below(curve, 1.5).tolist() == [1, 4]
    flat = np.concatenate([np.full((20, 1), 2.0), np.full((20, 1), 0.0)])
    assert steps_to(flat, 0.5).tolist() == [28.0]  # eight zeros of ten bring the mean to .4
    assert steps_to(np.full((20, 1), math.nan), 0.5).tolist() == [30.0]


def test_a_rate_is_chosen_on_the_other_set_of_seeds():
    loss = np.array([[0.0, 0.0, 9.0, 9.0], [1.0, 1.0, 1.0, 1.0]])  # the first rate suits the first set of seeds alone
    found = Sweep((0.1, 1.0), loss, 1 - loss, loss[None])
    assert found.at_best(loss).tolist() == [1.0, 1.0, 9.0, 9.0]
    assert found.best_lrs() == [0.1, 1.0]
    assert len(found.edge("sgd")) == 2


def test_batches_are_one_order_a_seed():
    made = batches(10, 4, 5, [3, 3, 8])
    assert all(b.shape == (3, 4) for b in made)
    assert all(torch.equal(b[0], b[1]) for b in made)
    assert not all(torch.equal(b[0], b[2]) for b in made)
    assert len(set(torch.cat([made[0][0], made[1][0]]).tolist())) == 8  # no sample twice in an epoch
    assert decades(0.01, 1) == pytest.approx([0.01, 10**-1.5, 0.1, 10**-0.5, 1.0])
