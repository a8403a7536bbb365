"""The run directory of claims: plan, environment, journal, and each outcome as it finishes; and a run as one file.

plan.json  environment.json  journal.jsonl    as of a race
outcomes/O13.json                             one claim's outcome, written whole when it has finished
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slalom.claims.decide import Verdict, decide
from slalom.claims.outcome import Outcome, outcome_from
from slalom.claims.registry import every, order
from slalom.core.errors import StoreError
from slalom.core.files import write_whole
from slalom.race.events import Note
from slalom.race.store import Store, to_json

LAST_SEED = 2**31
COMMITTED = Path(__file__).parent / "committed.json"


class ClaimsPlan(BaseModel):
    """What a run of claims is: which; how many seeds in each of two sets (None: each claim's own number), counted from which.

    `and_from`: of two joined runs, where the seeds of the second begin; each run is then one of the two sets.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    claims: list[str] = Field(min_length=1)
    seeds: int | None = Field(default=None, ge=2)
    quick: bool = False
    first_seed: int = Field(default=0, ge=0, le=LAST_SEED)
    and_from: int | None = None


@dataclass(frozen=True)
class Result:
    """A claim's outcome: `n` seeds in each of two sets, `seconds` it took."""

    id: str
    outcome: Outcome
    n: int
    quick: bool
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """By the rule of the claim as it stands in this version."""
        return decide(every()[self.id].claim.criteria, self.outcome)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; the verdict is told along, and worked out again when read."""
        body = {"outcome": self.outcome.to_dict(), "n": self.n, "quick": self.quick, "seconds": self.seconds}
        return to_json({"id": self.id, "verdict": self.verdict.kind, **body})  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Run:
    """Results by claim, in the book's order, with the plan and where they were measured.

    `stale`: claims whose outcomes were measured under another rule than this version's, or that it lacks; they are in no result.
    """

    plan: ClaimsPlan
    environment: Mapping[str, Any]
    results: Mapping[str, Result]
    stale: tuple[str, ...] = ()

    @property
    def date(self) -> str:
        """The day of the run."""
        return str(self.environment["date"])[:10]


def result_from(body: Mapping[str, Any]) -> Result:
    """A result back from its JSON."""
    return Result(body["id"], outcome_from(body["outcome"]), body["n"], body["quick"], body["seconds"])


class ClaimStore:
    """A run directory that this process writes, with the code of the race's."""

    def __init__(self, directory: str | Path) -> None:
        self.store = Store(directory)

    def create(self, plan: ClaimsPlan, environment: dict[str, Any]) -> None:
        """Make the directory, which must be new or empty."""
        made: Any = plan
        self.store.create(made, environment)

    def lock(self) -> None:
        """Go on in a directory that is there; a second writer is refused."""
        self.store.lock()
        self.store.cut_torn_tail()

    def close(self) -> None:
        """Let go of the directory."""
        self.store.close()

    def save(self, result: Result) -> None:
        """Write one outcome, then a line of the journal."""
        text = json.dumps(result.to_dict(), allow_nan=False, ensure_ascii=False)
        _write(self.store.path / "outcomes" / f"{result.id}.json", text)
        self.store.append([Note(f"{result.id}: {result.verdict.kind}, {result.seconds:.1f} s")])

    def read(self) -> Run:
        """All that has finished."""
        plan = _plan(self.store._read_text("plan.json"), self.store.path)
        found = {}
        for path in (self.store.path / "outcomes").glob("*.json"):
            found[path.stem] = _result(path)
        return _run(plan, self.store.environment(), found)


def load_run(path: str | Path | None = None) -> Run:
    """A run directory, or a run in one file; None: the committed run that is shipped."""
    where = COMMITTED if path is None else Path(path)
    if where.is_dir():
        return ClaimStore(where).read()
    try:
        body = json.loads(where.read_text(encoding="utf-8"))
        results = {r["id"]: result_from(r) for r in body["results"]}
        plan = ClaimsPlan.model_validate(body["plan"])
        return _run(plan, body["environment"], results)
    except OSError as error:
        raise StoreError(f"cannot read the claims' run {where}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{where} holds no run of claims: {error}") from error


def _run(plan: ClaimsPlan, environment: Mapping[str, Any], found: Mapping[str, Result]) -> Run:
    fits = {k: k in every() and all(c.key in r.outcome.effects for c in every()[k].claim.criteria) for k, r in found.items()}
    kept = {k: found[k] for k in sorted(found, key=order) if fits[k]}
    return Run(plan, environment, kept, tuple(sorted((k for k in found if not fits[k]), key=order)))


def write_run(run: Run, path: str | Path) -> None:
    """The run as one file, a line a claim, to commit."""
    lines = ",\n".join(json.dumps(r.to_dict(), allow_nan=False, ensure_ascii=False) for r in run.results.values())
    head = json.dumps({"plan": run.plan.model_dump(), "environment": to_json(run.environment)}, ensure_ascii=False)
    _write(Path(path), f'{head[:-1]}, "results": [\n{lines}\n]}}\n')


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}; what was finished before is kept") from error


def _plan(text: str, where: Path) -> ClaimsPlan:
    try:
        return ClaimsPlan.model_validate_json(text)
    except ValidationError as error:
        raise StoreError(
            f"{where} holds no run of claims: {error.error_count()} fields of plan.json are not a claims plan's"
        ) from error


def _result(path: Path) -> Result:
    try:
        return result_from(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged; delete it to run that claim again: {error}") from error
