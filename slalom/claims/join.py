"""Two runs on different seeds as one: each is a set of its own, so that a verdict that flips between them is undecided."""

from __future__ import annotations

from dataclasses import replace

from slalom.claims.outcome import Outcome
from slalom.claims.store import Result, Run
from slalom.core.errors import BadValueError


def joined(first: Run, second: Run) -> Run:
    """The claims of both runs, with the seeds of `first` as one set and those of `second` as the other.

    Where nothing is random, the outcome of `second` is kept; so are its environment, settings and pictures. Raises
    `BadValueError` where the runs test different claims, share seeds, have different numbers of them, are quick or joined
    already.

    >>> from slalom.claims import run
    >>> run = joined(run("O27"), run("O27", first_seed=1000))
    >>> run.plan.first_seed, run.plan.and_from, run.results["O27"].verdict.kind
    (0, 1000, 'holds')
    """
    plans = (first.plan, second.plan)
    if any(p.quick or p.and_from is not None for p in plans):
        raise BadValueError("runs to join must be neither quick nor joined already; name two full runs")
    if set(first.results) != set(second.results):
        alone = sorted(set(first.results) ^ set(second.results))
        raise BadValueError(f"only one of the two runs holds {', '.join(alone)}; run them on the other's seeds too")
    most = max(2 * r.n for run in (first, second) for r in run.results.values())
    if abs(plans[0].first_seed - plans[1].first_seed) < most:
        raise BadValueError(
            f"the runs share seeds: from {plans[0].first_seed} on and from {plans[1].first_seed} on, up to {most} each; "
            f"run one with --first-seed {max(p.first_seed for p in plans) + most} or more"
        )
    results = {name: _both(first.results[name], result) for name, result in second.results.items()}
    plan = first.plan.model_copy(update={"and_from": second.plan.first_seed, "claims": list(results)})
    return Run(plan, second.environment, results)


def _both(a: Result, b: Result) -> Result:
    if a.n != b.n:
        raise BadValueError(f"{a.id}: {2 * a.n} seeds in one run and {2 * b.n} in the other; run both with the same --seeds")
    if not b.outcome.seeded:
        return b
    effects = {k: v if len(v) == 1 else a.outcome.effects[k] + v for k, v in b.outcome.effects.items()}
    flags = tuple(dict.fromkeys((*a.outcome.flags, *b.outcome.flags)))
    outcome = Outcome(effects, flags, b.outcome.settings, b.outcome.lines)
    return replace(b, outcome=outcome, n=a.n + b.n, seconds=round(a.seconds + b.seconds, 2))
