"""`slalom.repair`: from what was found to a run that is better, shown to be."""

from __future__ import annotations

import math
from typing import Any

from slalom.core.errors import BadValueError
from slalom.doctor.repairing.branch import Branch
from slalom.doctor.repairing.candidates import candidates
from slalom.doctor.repairing.contest import Contest
from slalom.doctor.repairing.original import Original
from slalom.doctor.repairing.record import Applied, Repair
from slalom.doctor.repairing.yardstick import Yardstick
from slalom.doctor.setup import EPOCHS, Setup, setup_of
from slalom.race.range.untouched import random_states_kept

TRIES, BUDGET = 8, 0.5
BETTER = 0.01  # of the loss before: what a repair must win, so that noise changes nobody's run


def repair(
    model: Any,
    loss_fn: Any,
    optimizer: Any,
    train: Any,
    val: Any = None,
    batch_size: Any = None,
    epochs: Any = EPOCHS,
    schedule: Any = None,
    seed: Any = 0,
    examination: Any = None,
    tries: int = TRIES,
    budget: float = BUDGET,
) -> Repair:
    """Mends a training run by what `slalom.examine` finds in it, and trains it.

    Arguments as `slalom.examine`'s. `examination`: its result for them; None: it is made first, and its experiments serve
    here too. `tries`: fixes that compete in short branches, at most (8). `budget`: what those branches may take together, in
    runs of the set-up (0.5). The winner is trained to its end, and the weights of its best epoch are kept (on validation
    rows, or training rows without them). Where it is not better than the original run by 1 %, the original's trained model is
    handed back.

    Nothing of the caller's is changed, random states among it. Returns a `Repair`. Errors: as `slalom.examine`, and
    `BadValueError` for tries or a budget out of range.

    >>> import torch
    >>> from torch import nn
    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(200, 3)
    >>> y = (x[:, 0] > 0).long()
    >>> net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2))
    >>> slow = lambda m: torch.optim.SGD(m.parameters(), lr=1e-4)
    >>> mended = repair(net, nn.CrossEntropyLoss(), slow, (x[:150], y[:150]), (x[150:], y[150:]), epochs=15)
    >>> mended.applied[0].label, mended.after < 0.5 * mended.before
    ('lr_too_low', True)
    """
    if isinstance(tries, bool) or not isinstance(tries, int) or tries < 1:
        raise BadValueError(f"repair: tries must be a whole number >= 1, got {tries!r}")
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not 0 <= budget < math.inf:
        raise BadValueError(f"repair: budget must be a number of runs >= 0, got {budget!r}")
    setup = setup_of(
        model, loss_fn, optimizer, train=train, val=val, batch_size=batch_size, epochs=epochs, schedule=schedule, seed=seed
    )
    case = None
    if examination is None:
        from slalom.doctor.examine import with_case

        examination, case = with_case(setup)
    elif not hasattr(examination, "findings"):
        raise BadValueError(f"repair: examination must be what slalom.examine gave, got {type(examination).__name__}")
    with random_states_kept():
        return mended(setup, examination, case, tries, float(budget))


def mended(setup: Setup, examination: Any, case: Any = None, tries: int = TRIES, budget: float = BUDGET) -> Repair:
    """The repair of a set-up that was examined; `case`: with its run and its experiments, where they are at hand."""
    findings = list(examination.findings)
    yardstick = Yardstick(setup, by_class=any(f.label == "class_imbalance" for f in findings))
    original = Original(setup, examination, case, yardstick)
    if not findings:
        return _kept(original, "nothing was wrong")
    competing = candidates(setup, findings, tries)
    if not competing:
        words = "; ".join(f.remedy for f in findings[:2])
        return _kept(original, f"no fix can be made without you for {', '.join(f.label for f in findings)}: {words}")
    contest = Contest(setup, competing, yardstick, case)
    best = contest.won(budget, original.loss, original.start)
    after = math.inf if best is None else best.finish()
    if best is None or not _better(after, original.loss):
        return _kept(original, f"no fix is better than the original run (tried: {contest.names})", contest)
    return _mended(original, contest, best, after)


def _better(after: float, before: float) -> bool:
    return math.isfinite(after) and (not math.isfinite(before) or after < before - BETTER * abs(before))


def _mended(original: Original, contest: Contest, best: Branch, after: float) -> Repair:
    change, label = best.change, contest.label(best)
    applied = [Applied(label, change.words, change.code)]
    if not change.keep_best and change.setup.val is not None and best.best_epoch < change.setup.epochs and not best.reused:
        words = f"weights of epoch {best.best_epoch}, the best on validation, of {change.setup.epochs}"
        applied.append(Applied("", words, "stopping = slalom.nets.EarlyStopping(patience=10)"))
    curves = {"before": original.curve.to_dict(), "after": best.curve.to_dict()}
    return Repair(
        best.model, original.loss, after, applied, curves, contest.told(), contest.cost + original.cost,
        change.setup.notes, original.examination, lambda: _examined(change.setup),
    )  # fmt: skip


def _kept(original: Original, note: str, contest: Contest | None = None) -> Repair:
    """The original's trained model, handed back."""
    curve, model = original.curve.to_dict(), original.model
    tried, cost = ([], 0.0) if contest is None else (contest.told(), contest.cost)
    return Repair(
        model, original.loss, original.loss, [], {"before": curve, "after": curve}, tried, cost + original.cost, (note,),
        original.examination, lambda: original.examination,
    )  # fmt: skip


def _examined(setup: Setup) -> Any:
    from slalom.doctor.examine import examined

    return examined(setup)
