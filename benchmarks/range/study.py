"""The table of the study: each method's picks within 5 % regret, beyond 20 %, within 3 times of the best, and its cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.range import held_out_problems, packages, study_problems
from benchmarks.range.parameter_free import final_losses, methods
from benchmarks.range.picks import SEEDS, Pick, collect
from benchmarks.range.problem import OPTIMIZERS, Problem
from benchmarks.range.rivals import THEIRS
from benchmarks.range.truth import Truth, truths
from slalom.race.environment import environment

Key = tuple[str, str]
HELD_OUT = "truth_held_out.json"


def share(values: Sequence[bool]) -> str:
    return f"{100 * float(np.mean(values)):4.0f} %"


def table(pairs: dict[Key, Truth], picks: dict[str, dict[str, Pick]]) -> None:
    cases = [(key, seed) for key in pairs for seed in SEEDS if f"{key[0]}/{key[1]}/{seed}" in picks]
    names = list(picks[f"{cases[0][0][0]}/{cases[0][0][1]}/{cases[0][1]}"])
    print(f"{len(cases)} cases: problem, optimizer, seed")
    print(f"{'':<30}{'cost':>7}{'decades off':>13}{'within 3x':>11}{'<= 5 %':>8}{'> 20 %':>8}   warm starts: <= 5 %, > 20 %")
    for name in names:
        rows = []
        for key, seed in cases:
            pick = picks[f"{key[0]}/{key[1]}/{seed}"][name]
            lr, truth = pick["lr"], pairs[key]
            off = np.log10(lr / truth.best) if lr else np.nan
            rows.append((pick["cost"], off, truth.regret(lr), "warm" in key[0]))
        cost, off, regret, warm = (np.array(column) for column in zip(*rows, strict=True))
        near = np.abs(np.nan_to_num(off, nan=9)) <= np.log10(3)
        print(
            f"{name:<30}{np.median(cost):>7.0f}{np.nanmedian(off):>+13.2f}{share(near):>11}{share(regret <= 0.05):>8}"
            f"{share(regret > 0.2):>8}   {share(regret[warm] <= 0.05)} {share(regret[warm] > 0.2)}"
            f"   {int((regret <= 0.05).sum())}/{int((regret > 0.2).sum())} of {len(regret)}, most {cost.max():.0f}"
        )
    held, width = [], []
    for key, seed in cases:
        span = picks[f"{key[0]}/{key[1]}/{seed}"]["slalom lanes"]["interval"]
        held.append(span is not None and span[0] * 0.999 <= pairs[key].best <= span[1] * 1.001)
        width.append(np.nan if span is None else np.log10(span[1] / span[0]))
    print(f"slalom lanes: the interval holds the best in {share(held)} of cases, median width {np.nanmedian(width):.2f} decades")
    alone = np.array([one for truth in pairs.values() for one in truth.single_seed_regrets()])
    print(f"the grid itself with one seed, 11600 steps: {share(alone <= 0.05)} within 5 %, {share(alone > 0.2)} beyond 20 %")
    for key, seed in cases:
        pick = picks[f"{key[0]}/{key[1]}/{seed}"]["slalom lanes"]
        regret = pairs[key].regret(pick["lr"])
        if regret > 0.05:
            print(
                f"  lanes missed: {key[0]}, {key[1]}, seed {seed}: {pick['lr']}, best {pairs[key].best:.3g}, regret {regret:.2f}"
            )


def parameter_free(problems: Sequence[Problem], pairs: dict[Key, Truth]) -> None:
    print("without a learning rate, 400 steps, regret against the best Adam of the grid (below 0: better than it)")
    for name, optimizer in methods().items():
        regrets = []
        for problem in problems:
            truth = pairs.get((problem.name, "adam"))
            if truth is not None:
                regrets.append(truth.regret_of_loss(final_losses(problem, optimizer)))
        values = np.array(regrets)
        print(
            f"{name:<30}median {np.median(values):.3f}, within 5 % {share(values <= 0.05)}, beyond 20 % {share(values > 0.2)}, "
            f"worst {values.max():.2f} ({len(values)} problems)"
        )


def study(title: str, problems: Sequence[Problem], truth_file: str, picks_file: Path) -> None:
    print(f"\n{title}: {len(problems)} problems x {len(OPTIMIZERS)} optimizers x {len(SEEDS)} seeds", flush=True)
    begin, used = time.perf_counter(), time.process_time()
    pairs = truths(problems, truth_file)
    table(pairs, collect(problems, picks_file))
    parameter_free(problems, pairs)
    print(f"took {time.perf_counter() - begin:.0f} s, {time.process_time() - used:.0f} s of a core", flush=True)


def main() -> None:
    facts = environment()
    print(f"{facts['date']}  torch {facts['torch']}, {facts['threads']} threads, {facts['processor']}, {facts['system']}")
    print(
        "truth: 29 rates x 3 seeds x 400 steps; cost: training steps over all rates and seeds of one test; see benchmarks/range"
    )
    print(f"the packages' own rules: {packages.told(list(THEIRS))}; other rivals re-implemented, smoothing and stopping always")
    here = Path(".cache") / "range"
    here.mkdir(parents=True, exist_ok=True)
    for file in here.glob("picks*.json"):
        file.unlink()
    study("the study", study_problems.problems(), "truth.json", here / "picks.json")
    study("held out", held_out_problems.problems(), HELD_OUT, here / "picks_held_out.json")
