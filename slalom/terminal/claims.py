"""The book of claims on the terminal."""

from __future__ import annotations

import json
from pathlib import Path

from rich.text import Text

from slalom.claims.claim import Claim
from slalom.claims.join import joined
from slalom.claims.registry import every, named
from slalom.claims.runner import go_on as resumed
from slalom.claims.runner import run as run_claims
from slalom.claims.store import COMMITTED, Result, Run, load_run, write_run
from slalom.claims.words import Language
from slalom.core.errors import StoreError
from slalom.figures.claims import figure, phrase, states, verdict_words
from slalom.terminal.catalogues.rules import plain_table
from slalom.terminal.output import console, say
from slalom.terminal.places import fresh

STYLES = {"holds": "green", "fails": "red", "depends": "yellow", "undecided": "dim"}


def _last(path: Path | None) -> Run | None:
    if path is None and not COMMITTED.exists():
        return None
    return load_run(path)


def show_list(path: Path | None, *, as_json: bool) -> None:
    """A row a claim, with the verdict of the run."""
    run, known = _last(path), every()
    results = {} if run is None else run.results
    if as_json:
        for name, (claim, _) in known.items():
            kind = results[name].verdict.kind if name in results else None
            say(json.dumps({"id": name, "claim": claim.sentence.en, "verdict": kind, "run": run.date if run and kind else None}))
        return
    out, table = console(), plain_table("claim", "verdict", "as it is told")
    for name, (claim, _) in known.items():
        said = results[name].verdict.kind if name in results else "-"
        table.add_row(name, Text(said, STYLES.get(said, "")), Text(claim.sentence.en))
    out.print(table)
    if run is not None:
        where = f"{run.environment['processor']}, {run.environment['cores']} cores, seeds from {run.plan.first_seed} on"
        where += "" if run.plan.and_from is None else f" and from {run.plan.and_from} on"
        out.print(Text(f"verdicts of the run of {run.date} ({where}{', quick' if run.plan.quick else ''})", "dim"))
        if run.stale:
            out.print(Text(f"measured under another rule than this version's: {', '.join(run.stale)}; run them again", "yellow"))
    out.print(Text("One of them: slalom claims show O13. Test it here: slalom claims run O13", "dim"))


def show_claim(name: str, path: Path | None, language: Language) -> None:
    """One claim with its figures."""
    ((name, (claim, _)),) = named([name]).items()
    run = _last(path)
    result = None if run is None else run.results.get(name)
    if path is not None and result is None:
        raise StoreError(f"{path} holds no outcome of {name}; run it: slalom claims run {name}")
    out = console()
    out.print(Text.assemble((name, "bold"), "  ", claim.sentence.text(language)))
    table = plain_table("", "")
    table.show_header = False
    told = [("literature", claim.literature), ("setup", claim.setup), ("erratum", claim.erratum), ("note", claim.note)]
    for key, text in told:
        if text.en:
            table.add_row(phrase(key, language), Text(text.text(language)))
    out.print(table)
    _figures(claim, result, language)


def _figures(claim: Claim, result: Result | None, language: Language) -> None:
    out = console()
    if result is None:
        for c in claim.criteria:
            out.print(Text(f"  {c.label.text(language)}: {phrase('asked', language)} {c.asked}"))
        out.print(Text("no verdict yet: slalom claims run " + claim.id, "dim"))
        return
    verdict = result.verdict
    out.print(Text.assemble((verdict_words(claim, verdict, language), f"bold {STYLES[verdict.kind]}")))
    table = plain_table(phrase("what", language), phrase("figure", language), phrase("asked", language), "")
    for c in claim.criteria:
        table.add_row(Text(c.label.text(language)), figure(verdict.intervals[c.key]), Text(c.asked), states(c, verdict, language))
    out.print(table)
    seeds = f"{result.n} + {result.n}" if result.outcome.seeded else "-"
    flags = "".join(f"\n{phrase('flag', language)}: {f}" for f in result.outcome.flags)
    out.print(Text(f"{phrase('seeds', language)}: {seeds}; {result.seconds:.1f} s{flags}", "dim"))


def _tell(result: Result) -> None:
    claim = every()[result.id].claim
    say(f"{result.id:4} {verdict_words(claim, result.verdict, 'en')}  ({result.seconds:.1f} s)")


def run(ids: list[str] | None, quick: bool, seeds: int | None, first_seed: int, out: Path | None) -> None:
    """Test claims, a line each as it finishes; the figures of one named alone."""
    if ids:
        named(ids)  # a wrong name is told before a directory is made
    where = fresh("claims") if out is None else out
    if quick:
        say("quick: two seeds in each set; verdicts of the full run may differ")
    done = run_claims(ids, quick=quick, seeds=seeds, first_seed=first_seed, directory=where, on_result=_tell)
    _end(done, where)


def go_on(where: Path) -> None:
    """Run what a stopped run has left."""
    _end(resumed(where, _tell), where)


def _end(done: Run, where: Path) -> None:
    if len(done.results) == 1:
        (result,) = done.results.values()
        _figures(every()[result.id].claim, result, "en")
    else:
        kinds = [r.verdict.kind for r in done.results.values()]
        say(", ".join(f"{kinds.count(k)} {k}" for k in STYLES if k in kinds))
    say(f"saved in {where}; the book of it: slalom claims book DIR --run {where}")


def write_book(directory: Path, path: Path | None, with_page: bool) -> None:
    """The book's files."""
    from slalom.report.claims import write_book as write

    for made in write(load_run(path), directory, with_page=with_page):
        say(str(made))


def join(first: Path, second: Path, out: Path) -> None:
    """Two runs as one file."""
    run = joined(load_run(first), load_run(second))
    write_run(run, out)
    kinds = [r.verdict.kind for r in run.results.values()]
    say(", ".join(f"{kinds.count(k)} {k}" for k in STYLES if k in kinds))
    say(f"saved in {out}; the book of it: slalom claims book DIR --run {out}")
