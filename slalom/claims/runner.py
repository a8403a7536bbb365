"""Running experiments, one after another; each outcome is saved as it finishes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from slalom.claims.registry import Entry, every, named
from slalom.claims.store import LAST_SEED, ClaimsPlan, ClaimStore, Result, Run
from slalom.core.errors import BadValueError

OnResult = Callable[[Result], None]


def run(
    claims: str | Iterable[str] | None = None,
    *,
    quick: bool = False,
    seeds: int | None = None,
    first_seed: int = 0,
    directory: str | Path | None = None,
    on_result: OnResult | None = None,
) -> Run:
    """Test claims here and now.

    `claims`: ids such as "O13", one or several; None: all. `seeds`: in each of two sets, 2 at least (None: each claim's own
    number, or 2 with `quick`). `first_seed`: the sets are counted from it; another one than the committed run's is a fresh
    test of its verdicts. `directory`: a new or empty one for plan, environment and outcomes. `on_result`: called with each
    `Result` as it finishes.

    Raises `UnknownNameError` for an id that is not in the book, `BadValueError` for seeds out of range, `StoreError` for a
    directory that cannot be written.

    >>> print(run("O27").results["O27"].verdict.kind)
    holds
    """
    from slalom.race.environment import environment

    chosen = every() if claims is None else named([claims] if isinstance(claims, str) else claims)
    if seeds is not None and seeds < 2:
        raise BadValueError(f"seeds must be 2 or more in each of two sets, got {seeds}")
    if not 0 <= first_seed <= LAST_SEED:
        raise BadValueError(f"first_seed must be 0 to {LAST_SEED}, got {first_seed}")
    plan = ClaimsPlan(claims=list(chosen), seeds=seeds, quick=quick, first_seed=first_seed)
    store = None if directory is None else ClaimStore(directory)
    here = environment()
    if store is not None:
        store.create(plan, here)
    return Run(plan, here, _each(plan, chosen, store, on_result, {}))


def go_on(directory: str | Path, on_result: OnResult | None = None) -> Run:
    """Run what a stopped run has left; what had finished is kept."""
    store = ClaimStore(directory)
    before = store.read()
    store.lock()
    return Run(
        before.plan, before.environment, _each(before.plan, named(before.plan.claims), store, on_result, dict(before.results))
    )


def _each(
    plan: ClaimsPlan, chosen: Mapping[str, Entry], store: ClaimStore | None, on_result: OnResult | None, done: dict[str, Result]
) -> dict[str, Result]:
    try:
        for name, (claim, experiment) in chosen.items():
            if name in done:
                continue
            own = claim.plan(plan.quick, plan.seeds, plan.first_seed)
            started = time.perf_counter()
            outcome = experiment(own)
            seconds = round(time.perf_counter() - started, 2)
            done[name] = Result(name, outcome, own.n, plan.quick, seconds)
            if store is not None:
                store.save(done[name])
            if on_result is not None:
                on_result(done[name])
    finally:
        if store is not None:
            store.close()
    return {name: done[name] for name in chosen}
