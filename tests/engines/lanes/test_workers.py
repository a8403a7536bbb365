"""Chunks on threads: the same numbers in any number of chunks, errors, and calls from inside."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
import torch

import slalom.rules  # noqa: F401
from slalom.engines.lanes import lanes_of
from slalom.engines.lanes.workers import map_chunks
from tests.engines.lanes.models import Gru, Residual, dropping, mlp
from tests.engines.lanes.test_lanes import X, Y, make, mixed_lanes, some_batches


@pytest.fixture
def eight_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(8)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("model", [mlp, dropping, Residual, Gru])
def test_many_chunks_at_once_change_no_bit(model, eight_threads: None) -> None:
    specs = mixed_lanes() * 4 + lanes_of(torch.optim.LBFGS, lr=0.1, max_iter=2)
    batches = some_batches(12)
    whole = make(model, specs, torch.float32, chunk=len(specs))
    losses, norms = whole.epoch(X, Y, batches)
    for size in (1, 2, 7):
        cut = make(model, specs, torch.float32, chunk=size)
        loss, norm = cut.epoch(X, Y, batches)
        assert np.array_equal(loss, losses)
        assert np.array_equal(norm, norms)
        assert torch.equal(cut.predict(X), whole.predict(X))


def test_the_first_error_is_raised_after_all_have_stopped(eight_threads: None) -> None:
    running, gate = [], threading.Event()

    def work(k: int) -> int:
        running.append(k)
        if k == 1:
            gate.set()
            raise KeyError(k)
        gate.wait(5)
        running.remove(k)
        return k

    with pytest.raises(KeyError, match="1"):
        map_chunks(work, range(4))
    assert running == [1]
    assert torch.get_num_threads() == 8
    assert map_chunks(lambda k: k * 2, range(3)) == [0, 2, 4]


def test_denormals_are_flushed_in_workers_alone() -> None:
    tiny = torch.tensor([1e-40])
    assert map_chunks(lambda _: float(tiny * 1), range(3)) == [0.0] * 3
    assert float(tiny * 1) > 0


def test_work_may_train_lanes_of_its_own() -> None:
    def work(_: int) -> float:
        return float(make(mlp, lanes_of("sgd", lr=[0.1, 0.2]), chunk=1).epoch(X, Y, some_batches(2))[0].sum())

    done: list[float] = []
    thread = threading.Thread(target=lambda: done.extend(map_chunks(work, range(3))), daemon=True)
    thread.start()
    thread.join(30)
    assert len(done) == 3, "it waits for itself"
    assert len(set(done)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own() -> None:
    assert map_chunks(lambda k: k, range(2)) == [0, 1]
    child = os.fork()
    if child == 0:
        os._exit(0 if map_chunks(lambda k: k + 1, range(2)) == [1, 2] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
