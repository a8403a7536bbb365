"""A counterfactual run ends where its outcome is plain, and nowhere else."""

from __future__ import annotations

import math

import pytest
from torch import nn

from slalom.doctor.run import Look, Run, Skill
from slalom.doctor.run.branch import Outlook

STEPS = 160


def run(train: list[float], val: list[float] | None = None) -> Run:
    """A run whose losses are 1 - skill, with a look each 10 steps."""
    looks = [Look(10 * k, 1 - s, math.nan if val is None else 1 - val[k]) for k, s in enumerate(train)]
    return Run(nn.Identity(), looks=looks)


def outlook(reached: float, val: float = math.nan) -> Outlook:
    return Outlook(STEPS, (reached, val), Skill(1.0), None if math.isnan(val) else Skill(1.0))


def test_ends_where_it_has_won() -> None:
    assert outlook(0.2)(run([0, 0.5, 0.8, 0.93, 0.95]))


@pytest.mark.parametrize("seen", [[0, 0.5, 0.8, 0.85, 0.95], [0.95, 0.95], [0, 0.2, 0.3, 0.4, 0.5]])
def test_goes_on_where_it_is_open(seen: list[float]) -> None:
    assert not outlook(0.2)(run(seen))


def test_high_on_training_rows_alone_has_not_won() -> None:
    high = [0, 0.5, 0.9, 0.95, 0.95]
    assert not outlook(0.3, 0.3)(run(high, [0.3] * 5))
    assert outlook(0.3, 0.3)(run(high, [0.6] * 5))


def test_a_run_as_good_as_the_branch_is_not_beaten() -> None:
    assert not outlook(0.78)(run([0, 0.5, 0.9, 0.95, 0.95]))


def test_ends_where_it_is_far_behind_by_half() -> None:
    flat = [0.15] * 9
    assert outlook(0.3)(run(flat))
    assert not outlook(0.3)(run(flat[:7]))  # not half of the run yet
    assert not outlook(0.1)(run(flat))  # it wins a little


def test_a_branch_that_has_not_begun_to_learn_is_given_time() -> None:
    assert not outlook(0.3)(run([0.0] * 9))
    assert outlook(0.3)(run([0.0] * 15))


def test_a_branch_that_still_rises_goes_on() -> None:
    assert not outlook(0.3)(run([0.03 * k for k in range(9)]))


def test_ends_where_it_is_wrecked_and_the_run_is_not() -> None:
    assert outlook(0.1)(run([0, -0.8, -1, -1, -1]))
    assert not outlook(-1.0)(run([0, -0.8, -1, -1, -1]))
