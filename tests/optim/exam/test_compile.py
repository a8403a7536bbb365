"""torch.compile around a whole training step: the numbers of eager training, nothing compiled anew when hypers change."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

import slalom.optim
from tests.optim.exam.infos import class_of
from tests.optim.exam.tools import has_tables

# of torch's own making, inside the compiler
pytestmark = [
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
    pytest.mark.filterwarnings("ignore:`torch.jit"),
]
SOME = ["SGD", "NAdam", "WindowedAdadelta"]  # the last one, with a window as long as here, is stepped by the eager path


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)).double()


def data(i: int) -> torch.Tensor:
    return torch.randn(8, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(i))


def step(model: nn.Module, optimizer: Any, x: torch.Tensor) -> None:
    """A training step as users write it."""
    optimizer.zero_grad()
    model(x).square().mean().backward()
    optimizer.step()


def trained(make: Callable[[Any], Any], run: Callable[..., Any], steps: int = 6) -> tuple[list[torch.Tensor], Any]:
    model = net()
    optimizer = make(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.05, total_steps=steps + 1, cycle_momentum=bool({"momentum", "betas"} & set(optimizer.defaults))
    )
    for i in range(steps):
        run(model, optimizer, data(i))
        schedule.step()
    return [p.detach().clone() for p in model.parameters()], optimizer


@pytest.mark.parametrize("name", SOME)
def test_a_compiled_training_step_under_a_schedule_is_eager_training(name: str) -> None:
    kwargs = {"SGD": {"momentum": 0.9}, "WindowedAdadelta": {"w": 40}}.get(name, {})
    make = lambda params: class_of(name)(params, lr=0.01, weight_decay=0.01, **kwargs)  # noqa: E731
    expected, _ = trained(make, step)
    found, optimizer = trained(make, torch.compile(step, backend="eager"))
    assert all(map(torch.equal, found, expected))
    assert has_tables(optimizer) is (name != "WindowedAdadelta")


def test_the_graph_breaks_at_the_step_alone_and_nothing_is_compiled_anew() -> None:
    from torch._dynamo.testing import CompileCounter

    counter, model = CompileCounter(), net()
    optimizer = slalom.optim.AdamW(model.parameters(), lr=0.01)
    compiled = torch.compile(step, backend=counter)
    seen = []
    for i in range(8):
        compiled(model, optimizer, data(i))
        for group in optimizer.param_groups:
            group["lr"], group["weight_decay"] = 0.01 / (i + 2), 0.01 * i + 0.01
            group["betas"] = (0.9 - 0.01 * i, 0.99)
        seen.append(counter.frame_count)
    # One graph, the loss; backward and step are Python's. torch's own AdamW makes five here, the last at the third step.
    assert seen == [1] * 8, "a changed hyper has compiled something"


def test_fused_and_eager_optimizers_side_by_side_in_one_compiled_step() -> None:
    # All of Inductor's way but its own code: forward and backward pass as graphs, decomposed and partitioned as it does.
    def both(model: Any, optimizers: Any, x: torch.Tensor) -> torch.Tensor:
        for o in optimizers:
            o.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        for o in optimizers:
            o.step()
        return loss.detach()

    ends = []
    for run in (both, torch.compile(both, backend="aot_eager_decomp_partition")):
        model = net()
        weights, biases = ([p for n, p in model.named_parameters() if n.endswith(e)] for e in ("weight", "bias"))
        optimizers = [slalom.optim.RMSprop(weights, centered=True), slalom.optim.Lion(biases, lr=torch.tensor(0.01))]
        for i in range(5):
            run(model, optimizers, data(i))
        ends.append(list(model.parameters()))
    for p, q in zip(*ends, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)


def test_a_compiled_model_and_a_closure() -> None:
    ends = []
    for compiled in (False, True):
        model = net()
        optimizer = slalom.optim.Adam(model.named_parameters(), lr=0.01)
        call = torch.compile(model, backend="aot_eager") if compiled else model
        for i in range(4):

            def closure(call: Any = call, optimizer: Any = optimizer, i: int = i) -> torch.Tensor:
                optimizer.zero_grad()
                loss = call(data(i)).square().mean()
                loss.backward()
                return loss

            optimizer.step(closure)
        ends.append((list(model.parameters()), optimizer.state_dict(), call))
    for p, q in zip(ends[0][0], ends[1][0], strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)
    # names that torch.compile has put its own word into
    assert next(n for n, _ in ends[1][2].named_parameters()) == "_orig_mod.0.weight"
    again = slalom.optim.Adam(ends[1][2].named_parameters())
    again.load_state_dict(ends[0][1])
    assert again.state[next(ends[1][2].parameters())]["step"] == 4


def test_a_step_alone_may_be_compiled() -> None:
    ends = []
    for compiled in (False, True):
        model = net()
        optimizer = slalom.optim.NAdam(model.parameters())
        go = torch.compile(optimizer.step, backend="eager") if compiled else optimizer.step
        for i in range(3):
            optimizer.zero_grad()
            model(data(i)).square().mean().backward()
            go()
        ends.append(list(model.parameters()))
    assert all(map(torch.equal, *ends))


@pytest.mark.skipif(not os.environ.get("SLALOM_SLOW"), reason="20 s of a C++ compiler; SLALOM_SLOW=1 runs it")
def test_inductor_s_training_step_is_eager_training() -> None:
    expected, _ = trained(lambda params: slalom.optim.AdamW(params, lr=0.01), step, 3)
    found, optimizer = trained(lambda params: slalom.optim.AdamW(params, lr=0.01), torch.compile(step), 3)
    for p, q in zip(found, expected, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-12)
    assert has_tables(optimizer)
