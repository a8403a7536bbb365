"""`slalom.examine`: watches a plain run, tries what may be wrong with it, and says why it fails."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any

import numpy as np

from slalom.core.errors import BadDataError, BadValueError
from slalom.doctor.case import Case
from slalom.doctor.diagnose import diagnose
from slalom.doctor.examination import Branch, Curves, Examination
from slalom.doctor.finding import Finding
from slalom.doctor.findings import mismatch, nonfinite
from slalom.doctor.run import ForwardError
from slalom.doctor.setup import EPOCHS, Setup, setup_of
from slalom.race.range.untouched import random_states_kept

BUDGET = 12.0  # runs' worth of experiments; a healthy run takes none or a few of them


def examine(
    model: Any,
    loss_fn: Any,
    optimizer: Any,
    train: Any,
    val: Any = None,
    batch_size: Any = None,
    epochs: Any = EPOCHS,
    schedule: Any = None,
    seed: Any = 0,
    budget: Any = None,
) -> Examination:
    """Trains a copy of the model as it stands, and says whether anything is wrong with it, why, and what would mend it.

    `model`: an `nn.Module`, which is not changed. `loss_fn(outputs, targets)` gives one number; `optimizer(model)` an optimizer
    of torch's kind; `schedule(optimizer)` a scheduler that is stepped once an epoch, or None. `train`, `val`: `(X, y)`, tensors
    or arrays whose rows are shuffled by `seed` each epoch, or DataLoaders (whose rows are read once). `batch_size`: 32 by
    default, or the loader's; "full": all rows. `epochs`: 20. `budget`: how much the experiments may cost, in trainings of this
    set-up (12 by default; 0: none).

    First what needs no step (data, shapes, weights, signals), then one watched run, then, only where a symptom stands, branches
    with one thing changed each: what wins names the cause. Thresholds are shares of the run's own start and of what a constant
    prediction loses.

    Returns an `Examination`; printing it reads well. Errors: `BadValueError`, `BadDataError` for arguments that are none
    of these,
    and for a model that raises on its own data.

    >>> import torch
    >>> from torch import nn
    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(120, 3)
    >>> y = (x[:, 0] > 0).long()
    >>> net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2))
    >>> sgd = lambda m: torch.optim.SGD(m.parameters(), lr=0.5)
    >>> examine(net, nn.CrossEntropyLoss(), sgd, train=(x, y), epochs=15).healthy
    True
    >>> slow = lambda m: torch.optim.SGD(m.parameters(), lr=1e-5)
    >>> examine(net, nn.CrossEntropyLoss(), slow, train=(x, y), epochs=15).labels[0]
    'lr_too_low'
    """
    setup = setup_of(
        model, loss_fn, optimizer, train=train, val=val, batch_size=batch_size, epochs=epochs, schedule=schedule, seed=seed
    )
    return examined(setup, _budget(budget))


def examined(setup: Setup, budget: float = BUDGET) -> Examination:
    """The same of a set-up that is checked already; `Examination.case` keeps nothing of the model."""
    return with_case(setup, budget)[0]


def with_case(setup: Setup, budget: float = BUDGET) -> tuple[Examination, Case]:
    """The examination, and the case with its run and its trials, from which a repair may go on."""
    began = time.perf_counter()
    case = Case(setup, budget)
    with random_states_kept(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = _found(case)
    return _written(case, found, time.perf_counter() - began), case


def _found(case: Case) -> list[Finding]:
    bad = nonfinite.look(case)
    if bad:
        return bad
    try:
        return diagnose(case)
    except ForwardError as error:
        known = mismatch.raised(error)
        if known is None:
            raise BadDataError(f"examine: {error}") from error
        return [known]


def _written(case: Case, found: list[Finding], seconds: float) -> Examination:
    run = case.__dict__.get("run")
    # A run that broke is counted as one that went on to its end, as a loop that nobody watches does.
    whole = 1.0 if run is None or run.broke is None else case.setup.steps / max(1, len(run.losses))
    plain = max(run.seconds * whole, 1e-9) if run is not None and run.seconds else math.nan
    own = (seconds - run.seconds) / plain if run is not None and run.seconds else 0.0
    skill = case.reached if run is not None and run.losses and "skills" in case.__dict__ else (math.nan, math.nan)
    curves = Curves((), (), (), ()) if run is None else Curves(
        tuple(run.losses), tuple(look.step for look in run.looks), tuple(look.train for look in run.looks),
        tuple(look.val for look in run.looks),
    )  # fmt: skip
    branches = tuple(
        Branch(
            t.change.words, t.change.code, t.train, t.val, tuple(k.step for k in t.run.looks),
            tuple(k.train for k in t.run.looks),
        )
        for t in case.trials.values()
    )  # fmt: skip
    steps = 0 if run is None else len(run.losses)
    return Examination(tuple(found), steps, own, skill, curves, branches, case.setup.notes)


def _budget(value: Any) -> float:
    if value is None:
        return BUDGET
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise BadValueError(f"budget must be a number >= 0, in trainings of this set-up, or None; got {value!r}")
    return float(value)
