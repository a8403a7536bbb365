"""What makes a first step of thousands of parameters quick does what is done for one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from slalom import rules
from slalom.core.rule import Settings
from slalom.engines.fusible import fusible, shared_storage, storage_of
from slalom.engines.state import Fresh, complete
from slalom.engines.step import Job
from slalom.testing.cases import Case
from tests.engines.sparse.twins import OPTIMIZERS, chosen

T = torch.Tensor


def jobs(settings: Settings, count: int = 3, dtype: torch.dtype = torch.float32) -> list[Job]:
    made = []
    for k in range(count):
        p = torch.nn.Parameter(torch.randn(2 + k, 3, dtype=dtype))
        state: dict[str, T] = {}
        complete(state, settings, settings.values, p)
        made.append(Job(p, torch.ones_like(p).detach(), state))
    return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("settings", [rules.adam(amsgrad=True), rules.sgd(), rules.nadam(), rules.rmsprop(momentum=0.9)])
def test_parameters_that_lie_alike_are_known_at_once(settings: Settings, dtype: torch.dtype) -> None:
    made = jobs(settings, dtype=dtype)
    assert all(fusible(job, settings) for job in made)
    assert shared_storage(made, settings) == storage_of(made[2], settings)


ODD: dict[str, Callable[[Job], Job]] = {
    "a gradient in another order": lambda job: job._replace(g=job.g.T.contiguous().T),
    "a negated gradient": lambda job: job._replace(g=job.g._neg_view()),
    "a sparse gradient": lambda job: job._replace(g=job.g.to_sparse()),
    "a gradient of another dtype": lambda job: job._replace(g=job.g.double()),
    "a gradient of another shape": lambda job: job._replace(g=job.g.reshape(-1)),
    "a gradient on another device": lambda job: job._replace(g=job.g.to("meta")),
    "a class of its own": lambda job: job._replace(g=job.g.as_subclass(type("Mine", (T,), {}))),
    "a state of another shape": lambda job: job._replace(state={**job.state, "exp_avg": job.state["exp_avg"].reshape(-1)}),
    "a state of another dtype": lambda job: job._replace(state={**job.state, "exp_avg": job.state["exp_avg"].double()}),
    "a count that is a whole number": lambda job: job._replace(state={**job.state, "step": torch.tensor(1)}),
    "a count of two": lambda job: job._replace(state={**job.state, "step": torch.zeros(2)}),
    "more in the state": lambda job: job._replace(state={**job.state, "mine": torch.zeros(1)}),
    "complex": lambda job: Job(*(x.to(torch.complex64) for x in job[:2]), {**job.state}),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("at", [0, 2])
def test_one_odd_parameter_has_each_looked_at(odd: str, at: int) -> None:
    made = jobs(rules.adam())
    made[at] = ODD[odd](made[at])
    assert shared_storage(made, rules.adam()) is None


def test_rows_of_a_window_are_looked_at_one_at_a_time() -> None:
    assert shared_storage(jobs(rules.windowed_adadelta()), rules.windowed_adadelta()) is None
    assert shared_storage([], rules.adam()) is None


@pytest.mark.parametrize("case", [c for rule in OPTIMIZERS for c in chosen(rule)], ids=str)
def test_states_made_many_at_a_time_are_the_declared_ones(case: Case) -> None:
    settings = case.settings
    params: list[Any] = [
        torch.ones(3, 2), torch.ones(2, dtype=torch.float64), torch.ones(2, 2, dtype=torch.bfloat16),
        torch.ones(2, dtype=torch.complex64), torch.ones(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        torch.tensor(1.0),
    ]  # fmt: skip
    fresh = Fresh(settings, settings.values, None)
    for p in params:
        quick: dict[str, T] = {}
        slow: dict[str, T] = {}
        fresh.complete(quick, p)
        complete(slow, settings, settings.values, p)
        assert list(quick) == list(slow)
        for key, x in slow.items():
            assert (quick[key].dtype, quick[key].shape, quick[key].stride()) == (x.dtype, x.shape, x.stride())
            assert torch.equal(quick[key], x)
        some = {k: v for k, v in quick.items() if k == "step"}
        fresh.complete(some, p)  # what a gate has switched on since
        assert set(some) == set(slow)
