"""`python -m benchmarks tune.kills`: searches killed (`kill -9`) at random moments, with torn tails, and on a disk that is full.

A ledger outside of the search, with an fsync a line, says what its driver was told: each rung of each batch, and each trial that
ended. After every kill the run directory is held against it; a search that comes to its end is held against one that nobody
stopped. Lost: in the ledger but not in the journal. Twice: a rung that is in the ledger more than once. Zombies: trials that are
still running, or checkpoints still there, when the search has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

import slalom
from slalom.core.errors import StoreError
from slalom.race.environment import environment
from slalom.tune import Categorical, Float, Int
from slalom.tune.events import RungDone
from slalom.tune.result import TuneResult

RESULT = Path(__file__).parents[1] / "results" / "tune-kills.txt"
KILLS = int(os.environ.get("SLALOM_TUNE_KILLS", "200"))
FILLED = int(os.environ.get("SLALOM_TUNE_FILLED", "40"))
ROOM = 60  # KB at most that a full disk has left
SPACE = {
    "lr": Float(1e-3, 1, log=True), "optimizer": Categorical(["momentum", "adam"]), "batch_size": Int(16, 32, powers=True),
    "layers": Int(1, 2), "units": Int(4, 24, log=True),
}  # fmt: skip
GIVEN: dict[str, Any] = {
    "data": "iris", "space": SPACE, "budget": 18, "lanes": 6, "epochs": 9, "method": "bayesian", "seeds": 2, "finalists": 2,
}  # fmt: skip


class Ledger:
    """What a driver was told, written outside of its run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, event: Any) -> None:
        if isinstance(event, RungDone):
            with self.path.open("a") as file:
                file.write(json.dumps([event.batch, event.rung, event.states]) + "\n")
                file.flush()
                os.fsync(file.fileno())

    def rows(self) -> list[Any]:
        """Batch, rung, and the trials that ended there."""
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []


def facts(found: TuneResult) -> str:
    """All of a search that does not depend on time."""
    trials = [(t.number, t.config, t.state, t.epoch, t.rungs, t.seed) for t in found.trials]
    return repr((trials, found.best.number, found.test, found.validation))


def go(run: Path, ledger: Ledger) -> TuneResult:
    """Start the search, or go on with it."""
    if (run / "plan.json").exists():
        return slalom.tune.resume(run, on_event=ledger)
    return slalom.tune(**GIVEN, directory=run, on_event=ledger)


def forked(work: Callable[[], Any]) -> int:
    """A child that does the work and says by its exit code whether it came to the end; its number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            torch.set_num_threads(1)
            work()
            code = 0
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    return child


def lost(run: Path, ledger: Ledger) -> int:
    """Trials that the ledger knows to have ended and the run directory does not."""
    rows = ledger.rows()
    if not rows:
        return 0
    trials = slalom.tune.load(run).trials
    ended = {int(k): v for row in rows for k, v in row[2].items()}
    return sum(number >= len(trials) or trials[number].state != state for number, state in ended.items())


def twice(ledger: Ledger) -> int:
    """Rungs that were told more than once."""
    return sum(n - 1 for n in Counter((b, r) for b, r, _ in ledger.rows()).values())


def zombies(run: Path) -> int:
    """What an ended search should not have."""
    left = slalom.tune.load(run)
    return sum(t.state == "running" for t in left.trials) + len(list((run / "checkpoints").glob("*")))


def killed(kills: int, seed: int = 0) -> dict[str, Any]:
    """So many kills, at moments drawn evenly from a whole search's time."""
    draw, count = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        whole = slalom.tune(**GIVEN, directory=Path(folder) / "whole")
        expected = facts(whole)
        begin = time.perf_counter()
        child = forked(lambda: go(Path(folder) / "timed", Ledger(Path(folder) / "timed.jsonl")))
        os.waitpid(child, 0)
        lasts = time.perf_counter() - begin
        while count["kills"] < kills:
            run, ledger = Path(folder) / "run", Ledger(Path(folder) / "ledger.jsonl")
            while True:
                child = forked(lambda run=run, ledger=ledger: go(run, ledger))
                time.sleep(draw.uniform(0, lasts))
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                if os.WIFSIGNALED(status):
                    count["kills"] += 1
                    if draw.random() < 0.3 and (run / "journal.jsonl").exists():
                        count["torn"] += 1
                        with (run / "journal.jsonl").open("a") as file:
                            file.write('{"event":"rung_done","batch":1,"stand'[: draw.randrange(1, 38)])
                    count["lost"] += lost(run, ledger) if (run / "plan.json").exists() else 0
                    continue
                if os.WEXITSTATUS(status):
                    count["failed"] += 1
                    break
                count["searches"] += 1
                count["zombies"] += zombies(run)
                count["other"] += facts(slalom.tune.load(run)) != expected
                break
            count["twice"] += twice(ledger)
            count["ended"] += sum(len(row[2]) for row in ledger.rows())
            shutil.rmtree(run, ignore_errors=True)
            ledger.path.unlink(missing_ok=True)
    return dict(count) | {"seconds": lasts}


@contextlib.contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A file system in memory of that size (needs root)."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "slalom", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def filled(times: int, seed: int = 0) -> dict[str, Any]:
    """Searches on a disk with a little room, drawn anew each time; then room is made and they are resumed."""
    draw, count = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder, small_disk("1m") as disk:
        expected = facts(slalom.tune(**GIVEN))
        for i in range(times):
            run, ledger = disk / "run", Ledger(Path(folder) / f"{i}.jsonl")
            room = draw.randrange(1, ROOM) * 1024
            with (disk / "filler").open("wb") as file:
                file.write(bytes(2**20 - room))
            try:
                go(run, ledger)
            except (StoreError, OSError) as error:
                count["full"] += 1
                count["clear"] += isinstance(error, StoreError) and "No space left" in str(error)
            (disk / "filler").unlink()
            count["lost"] += lost(run, ledger) if (run / "plan.json").exists() else 0
            count["other"] += facts(go(run, ledger)) != expected
            count["twice"] += twice(ledger)
            count["zombies"] += zombies(run)
            shutil.rmtree(run)
    return dict(count)


def main() -> None:
    """Measure, print, and keep."""
    torch.set_num_threads(1)
    facts_of_it = environment()
    out = [f"slalom.tune: searches of 18 trials, killed and on a full disk\n{facts_of_it['date']}  {facts_of_it['cores']} cores"]

    def say(c: dict[str, Any]) -> str:
        return ", ".join(f"{c.get(k, 0)} {v}" for k, v in {
            "lost": "lost", "twice": "run twice", "zombies": "zombies", "other": "that ended otherwise than one left in peace",
        }.items())  # fmt: skip

    c = killed(KILLS)
    out.append(
        f"kill -9 at random moments: {c.get('kills', 0)} kills, {c.get('torn', 0)} torn tails, {c.get('searches', 0)} searches "
        f"brought to their end ({c.get('failed', 0)} failed), {c.get('ended', 0)} trials told: {say(c)}"
    )
    print(out[-1], flush=True)
    try:
        d = filled(FILLED)
        out.append(
            f"a file system of 1 MB with 1 to {ROOM - 1} KB of room, {FILLED} searches, {d.get('full', 0)} ran into "
            f"its end ({d.get('clear', 0)} with one clear error), then resumed with room: {say(d)}"
        )
    except (OSError, subprocess.CalledProcessError) as error:
        out.append(f"a full disk was not tried: no file system could be mounted here ({error})")
    print(out[-1])
    RESULT.write_text("\n".join(out) + "\n")
