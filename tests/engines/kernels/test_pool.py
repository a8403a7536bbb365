"""The threads of a step: every piece once, whoever comes; forked children, several callers, threads bound by the user."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import torch

import slalom.optim
from slalom.engines.kernels import pool

WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
RUN = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int, WORK, ctypes.c_void_p)


@pytest.fixture
def run() -> RUN:  # type: ignore[valid-type]
    address = pool.runner(2, 10)
    assert address is not None
    return RUN(address)


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [2, 3, 7, 300])
@pytest.mark.parametrize("tasks", [1, 2, 5, 400])
def test_every_task_is_done_once(run, tasks: int, threads: int) -> None:
    done: list[int] = []
    work = WORK(lambda _, task: done.append(task))
    for _ in range(20):
        done.clear()
        run(tasks, threads, work, None)
        assert sorted(done) == list(range(tasks))


def test_others_help_and_the_caller_comes_back_after_the_last_piece(run) -> None:
    # Two tasks that wait for each other can only end where two threads have them.
    meet, who = threading.Barrier(2), set()

    def work(_: int, task: int) -> None:
        meet.wait(60)
        who.add(threading.get_ident())

    run(2, 2, WORK(work), None)
    assert len(who) == 2


def test_several_callers_at_once_each_have_all_of_theirs(run) -> None:
    done: list[list[int]] = [[] for _ in range(4)]

    def call(mine: list[int]) -> None:
        for _ in range(50):
            run(20, 3, WORK(lambda _, task: mine.append(task)), None)

    callers = [threading.Thread(target=call, args=(mine,)) for mine in done]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(sorted(mine) == sorted(50 * list(range(20))) for mine in done)


def test_one_thread_needs_none_and_bound_threads_are_openmps(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pool.runner(1, 10) is None
    assert pool.runner(2, pool.MOST + 1) is None
    pool._address.cache_clear()
    monkeypatch.setenv("OMP_PROC_BIND", "close")
    assert pool.runner(2, 10) is None
    monkeypatch.undo()
    pool._address.cache_clear()
    assert pool.runner(2, 10) is not None


def test_the_numbers_are_those_of_one_thread(three_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for threads, address in ((1, True), (3, True), (3, False)):
        torch.set_num_threads(threads)
        if not address:  # OpenMP's
            monkeypatch.setattr(pool, "_address", lambda: None)
        p = [torch.nn.Parameter(torch.linspace(-1, 1, 70_000)), torch.nn.Parameter(torch.ones(33, 1000))]
        optimizer = slalom.optim.Adam(p, clip_grad_norm=0.5)
        for t in range(4):
            for x in p:
                x.grad = (x.detach() * (t + 1)).cos()
            optimizer.step()
        found.append([x.detach().clone() for x in p] + [optimizer.grad_norm])
    for other in found[1:]:
        assert all(torch.equal(x, y) for x, y in zip(found[0], other, strict=True))


FORKED = """
import ctypes, os, sys, threading
from slalom.engines.kernels import pool
WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
run = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int, WORK, ctypes.c_void_p)(pool.runner(2, 10))
def meet():  # two tasks that wait for each other need two threads
    met, both = [], threading.Barrier(2)
    run(2, 2, WORK(lambda _, task: met.append(both.wait(20))), None)
    return sorted(met) == [0, 1]
first = meet()
child = os.fork()
again = meet()
if child == 0:
    os._exit(0 if again else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or not (first and again))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_threads_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
