"""A rate that was right to start with and is too high by now: a branch at a tenth of it drops at once."""

from __future__ import annotations

import math

import numpy as np
from torch.optim.lr_scheduler import LambdaLR

from slalom.doctor.case import Case, Trial
from slalom.doctor.curve import Figure
from slalom.doctor.finding import Finding, finding
from slalom.doctor.fixes.fix import Change
from slalom.doctor.run import train
from slalom.doctor.run.branch import BRANCH_LOOKS
from slalom.doctor.setup import Setup

FROM, FACTOR = 0.75, 0.1  # of the run, from which the branch goes on at this share of the rate
LEFT, LEFT_VAL = 0.77, 0.93  # shares of the loss that are left by it
WON, WON_VAL = 0.02, 0.01  # skill won by it
FALLING = 0.65  # the level of the last fifth over that before: lower, and the run is still falling by itself
DONE = 0.995  # skill from which there is nothing to win
GOOD, LEFT_GOOD, WON_GOOD = 0.94, 0.7, 0.009  # skill from which a late rate is harm only where so much of both losses goes
LEFT_VAL_GOOD = 0.75
MUCH = ((0.04, 0.82), (0.07, 0.88))  # skill won, share left, worth telling where noise keeps most of the loss
RIGHT = 0.009  # of validation rows told right by it more, where there are classes
AGAIN, AGAIN_VAL = 0.9, 0.97  # shares of the loss left by it with other batches
PAIR = 2  # runs that these cost: one as it is, one with the branch's schedule
STILL_HIGH = 0.3  # of the peak rate, at the end


def dropped(setup: Setup) -> Change | None:
    """The run with its rate at a tenth for the last quarter."""
    at = round(FROM * setup.epochs)
    if setup.schedule is not None or setup.epochs < 4:
        return None
    return Change(
        setup.changed(schedule=lambda optimizer: LambdaLR(optimizer, lambda epoch: FACTOR if epoch >= at else 1.0)),
        f"the rate divided by {1 / FACTOR:g} from epoch {at}",
        f"schedule = LambdaLR(optimizer, lambda epoch: {FACTOR:g} if epoch >= {at} else 1.0)",
    )


def look(case: Case) -> list[Finding]:
    """Told where the run is flat by now, and the branch lowers both losses well."""
    run = case.run
    if run.broke is not None or not 0 < case.reached[0] < DONE or (run.rates and run.rates[-1] < STILL_HIGH * max(run.rates)):
        return []
    seen = run.train()
    if len(seen) < 12 or flat(seen) < FALLING:
        return []
    trial = case.tried("rate dropped late", dropped, whole=True)
    if trial is None:
        return []
    found = _judged(case, trial)
    return found if found and _again(case, trial) else []


def _again(case: Case, trial: Trial) -> bool:
    """Whether other batches show it too, so that it is no luck of the last looks; true where that cannot be paid."""
    if not case.affordable(PAIR):
        return True
    other = case.setup.seed + 1
    runs = [train(s.changed(seed=other), looks=BRANCH_LOOKS) for s in (case.setup, trial.change.setup)]
    case.spent += PAIR
    (mine, mine_val), (its, its_val) = (case.level(run) for run in runs)
    held = math.isnan(its_val) or its_val <= AGAIN_VAL * mine_val
    return its <= AGAIN * mine and held


def flat(seen: np.ndarray) -> float:
    """The level of the last fifth of looks over that of the fifth two before."""
    n = len(seen)
    before = float(np.median(seen[int(0.4 * n) : int(0.6 * n)]))
    return float(np.median(seen[int(0.8 * n) :])) / before if before > 0 else 1.0


def _judged(case: Case, trial: Trial) -> list[Finding]:
    mine, other = case.level(case.run), case.level(trial.run)
    left = other[0] / mine[0] if mine[0] > 0 else 1.0
    won = trial.train - case.reached[0]
    figures = [
        Figure("left", -left, -LEFT, f"(minus the) training loss of a branch with {trial.change.words}, over the run's own")
    ]
    good = case.reached[0] >= GOOD
    steps = ((WON_GOOD, LEFT_GOOD),) if good else ((WON, LEFT), *MUCH)
    ok = any(won >= much and left <= most for much, most in steps)
    if not math.isnan(trial.val):
        left_val = other[1] / mine[1] if mine[1] > 0 else 1.0
        figures.append(Figure("left_val", -left_val, -LEFT_VAL, "(minus the) validation loss of it, over the run's own"))
        right = trial.run.end.val_right - case.run.end.val_right
        held = left_val <= LEFT_VAL_GOOD if good else left_val <= LEFT_VAL and trial.val - case.reached[1] >= WON_VAL
        ok = ok and held and not right < RIGHT  # NaN: no classes
    return [finding("lr_too_high_late", figures, 0.8, _since(case))] if ok else []


def _since(case: Case) -> int:
    """The step from which the run has not improved to speak of."""
    seen = case.run.train()
    level = float(np.median(seen[int(0.8 * len(seen)) :]))
    k = int(np.flatnonzero(seen <= level * 1.1)[0]) if (seen <= level * 1.1).any() else len(seen) - 1
    return case.run.looks[k].step
