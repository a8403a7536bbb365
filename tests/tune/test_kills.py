"""Processes ended at any moment, torn tails, and a write that finds the disk full; 200 kills are `benchmarks tune.kills`."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import warnings

import pytest

import slalom
from slalom.core.errors import StoreError
from slalom.race.directory import RunDirectory
from slalom.tune import Float, Int
from slalom.tune.events import RungDone

pytestmark = pytest.mark.usefixtures("one_thread")
SPACE = {"lr": Float(1e-3, 1, log=True), "units": Int(4, 8), "layers": 1}
GIVEN = {"data": "iris", "space": SPACE, "budget": 8, "lanes": 4, "epochs": 3, "method": "random", "seeds": 1, "finalists": 1}


def facts(found):
    return repr([(t.number, t.config, t.state, t.rungs) for t in found.trials]), repr(found.test)


def told(ledger):
    return [tuple(line.split()) for line in ledger.read_text().splitlines()] if ledger.exists() else []


def child(run, ledger, seconds):
    """A process that starts the search, or goes on with it, and writes down outside of it each rung that it is told of.

    After so many seconds of its own CPU time the kernel ends it at once, as `kill -9` does: nothing of Python's runs then.
    """
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, RuntimeWarning):  # Python 3.12, and JAX where a test has loaded it, warn of forks
            warnings.simplefilter("ignore", kind)  # beside threads, which the child does not use
        number = os.fork()
    if number:
        return os.waitpid(number, 0)[1]
    try:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)

        def write(event):
            if isinstance(event, RungDone):
                with ledger.open("a") as file:
                    file.write(f"{event.batch} {event.rung} {','.join(f'{k}={v}' for k, v in event.states.items())}\n")

        if (run / "plan.json").exists():
            slalom.tune.resume(run, on_event=write)
        else:
            slalom.tune(**GIVEN, directory=run, on_event=write)
    finally:
        os._exit(0)


def test_searches_ended_at_any_moment_lose_nothing_repeat_nothing_and_leave_nothing_running(tmp_path):
    whole, draw, ended = facts(slalom.tune(**GIVEN)), random.Random(3), 0
    for search in range(100):
        run, ledger = tmp_path / str(search), tmp_path / f"{search}.ledger"
        while os.WIFSIGNALED(child(run, ledger, draw.uniform(0.001, 0.1) if ended < 8 else 0)):
            ended += 1
            if (run / "journal.jsonl").exists() and ended % 2:
                with (run / "journal.jsonl").open("a") as file:
                    file.write('{"event":"rung_done","ba')
            if told(ledger):
                trials = slalom.tune.load(run).trials
                over = [pair.split("=") for row in told(ledger) for pair in ("".join(row[2:]).split(",") if row[2:] else [])]
                assert all(trials[int(k)].state == state for k, state in over)
        assert len({row[:2] for row in told(ledger)}) == len(told(ledger))
        left = slalom.tune.load(run)
        assert facts(left) == whole
        assert not [t for t in left.trials if t.state == "running"]
        assert not list((run / "checkpoints").iterdir())
        if ended >= 8:
            return
    raise AssertionError("no process was ended before its time")


def test_a_full_disk_is_one_clear_error_and_with_room_the_search_goes_on(tmp_path, monkeypatch):
    whole = facts(slalom.tune(**GIVEN))
    sync = os.fsync
    for room in (0, 1, 2, 4):
        run, count = tmp_path / str(room), 0

        def full(handle, room=room, journal=run / "journal.jsonl"):
            nonlocal count
            count += journal.exists() and os.path.samestat(os.fstat(handle), journal.stat())
            if count > room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(handle)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(StoreError, match="No space left on device; what was finished before is kept"):
                slalom.tune(**GIVEN, directory=run)
        lines = (run / "journal.jsonl").read_bytes()
        assert lines.count(b"\n") == room
        assert lines.endswith(b"\n") or not lines
        assert facts(slalom.tune.resume(run)) == whole


def test_a_line_for_which_there_is_room_for_a_part_leaves_nothing_of_itself(tmp_path):
    """The file may grow no further than the middle of a line: the kernel writes what fits, then says that no more does."""
    run = RunDirectory(tmp_path)
    run.append_lines(["a" * 3000])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(StoreError, match="File too large"):
            run.append_lines(["b" * 3000])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "journal.jsonl").read_text() == "a" * 3000 + "\n"
    run.append_lines(["c"])
    assert (tmp_path / "journal.jsonl").read_text() == "a" * 3000 + "\nc\n"
