"""On a real CUDA device: what the played one cannot show. Skipped without one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

import slalom.optim
from slalom.engines.fused_cuda import CudaTable
from slalom.engines.optimizer import RuleOptimizer
from slalom.testing.cases import Case
from tests.engines.kernels.cuda.test_emulated import MOST
from tests.engines.test_fused import CLASSES, SHAPES, given, plans

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
PRINTABLE = [name for name in CLASSES if name != "windowed_adadelta"]
LARGE = [*SHAPES, (4096,), (4097,), (3, 4099)]
Params = list[torch.nn.Parameter]


def parameters(where: str, dtype: torch.dtype, shapes: list[tuple[int, ...]] = LARGE) -> Params:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64).to(where, dtype)) for s in shapes]


def gradients(i: int, params: Params) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(i + 1)
    return [torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.device, p.dtype) for p in params]


def step(optimizer: RuleOptimizer, i: int, late: int = 0) -> None:
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for k, (p, g) in enumerate(zip(params, gradients(i, params), strict=True)):
        p.grad = None if i < late and k == len(params) - 1 else g
    optimizer.step()


def all_of(optimizer: RuleOptimizer) -> list[torch.Tensor]:
    made = [p.detach().cpu() for group in optimizer.param_groups for p in group["params"]]
    return made + [x.cpu() for state in optimizer.state.values() for x in state.values()]


def trained(make: Callable[[Params], RuleOptimizer], where: str, dtype: torch.dtype, steps: int = 20) -> RuleOptimizer:
    optimizer = make(parameters(where, dtype))
    for i in range(steps):
        step(optimizer, i, late=2)
    return optimizer


def on_device(optimizer: RuleOptimizer) -> bool:
    found = plans(optimizer)
    return bool(found) and all(isinstance(t, CudaTable) for plan in found for t in plan.tables)


def assert_close(a: list[torch.Tensor], b: list[torch.Tensor], tolerance: float) -> None:
    for x, y in zip(a, b, strict=True):
        assert x.dtype == y.dtype
        if x.numel():
            assert float((x - y).abs().max() / y.abs().max().clamp(min=1)) <= tolerance


@pytest.mark.parametrize("case", [c for c in MOST if c.rule.name in PRINTABLE], ids=lambda c: f"{c.rule.name}-{c}")
def test_every_program_is_the_processors_in_float64(case: Case) -> None:
    cls, options = CLASSES[case.rule.name], given(case)
    found = trained(lambda params: cls(params, **options), "cuda", torch.float64)
    assert on_device(found)
    assert_close(all_of(found), all_of(trained(lambda params: cls(params, **options), "cpu", torch.float64)), 1e-12)


@pytest.mark.parametrize("name", [n for n in PRINTABLE if n != "lion"])  # lion's sign turns a rounding into a step of lr
def test_every_rule_in_float32(name: str) -> None:
    found = trained(CLASSES[name], "cuda", torch.float32)
    assert on_device(found)
    assert_close(all_of(found), all_of(trained(CLASSES[name], "cpu", torch.float32)), 2e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["adam", "sgd", "adadelta"])
def test_16_bit_parameters_with_float32_states(name: str, dtype: torch.dtype) -> None:
    found = trained(lambda params: CLASSES[name](params, lr=0.1), "cuda", dtype)
    assert on_device(found)
    assert_close(all_of(found), all_of(trained(lambda params: CLASSES[name](params, lr=0.1), "cpu", dtype)), 2e-2)


def test_rounding_by_chance_draws_the_processors_bits() -> None:
    made = []
    for where in ("cuda", "cpu"):
        torch.manual_seed(3)
        made.append(trained(lambda p: slalom.optim.SGD(p, lr=0.1, stochastic_rounding=True), where, torch.bfloat16))
    same = sum(int((a == b).sum()) for a, b in zip(*map(all_of, made), strict=True))
    assert same >= 0.999 * sum(x.numel() for x in all_of(made[0]))


@pytest.mark.parametrize("name", ["Adam", "SGD", "RMSprop", "NAdam"])
def test_torchs_own_optimizer_steps_the_same(name: str) -> None:
    mine, theirs = parameters("cuda", torch.float64), parameters("cuda", torch.float64)
    optimizers: list[Any] = [getattr(slalom.optim, name)(mine, lr=0.01), getattr(torch.optim, name)(theirs, lr=0.01)]
    for i in range(10):
        for optimizer in optimizers:
            step(optimizer, i)
    tolerance = 1e-8 if name == "NAdam" else 1e-12  # torch keeps NAdam's product of momenta in float32
    assert_close([p.detach().cpu() for p in mine], [p.detach().cpu() for p in theirs], tolerance)


class Captured:
    """A whole training step (backward pass and optimizer) captured into a CUDA graph."""

    def __init__(self, make: Callable[[Params], RuleOptimizer]) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(torch.nn.Linear(7, 33), torch.nn.Tanh(), torch.nn.Linear(33, 1)).cuda().double()
        self.optimizer = make(list(self.model.parameters()))
        self.x = torch.zeros(16, 7, device="cuda", dtype=torch.float64)
        self.graph: torch.cuda.CUDAGraph | None = None

    def once(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        (self.model(self.x) - self.x.sum(1, keepdim=True)).square().mean().backward()
        self.optimizer.step()

    def batch(self, i: int) -> None:
        generator = torch.Generator().manual_seed(i)
        self.x.copy_(torch.randn(16, 7, generator=generator, dtype=torch.float64))

    def warm(self, steps: int = 3) -> None:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for i in range(steps):
                self.batch(i)
                self.once()
        torch.cuda.current_stream().wait_stream(side)

    def capture(self) -> None:
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.once()

    def train(self, steps: range, before: Callable[[int], None] = lambda i: None) -> None:
        for i in steps:
            before(i)
            self.batch(i)
            self.once() if self.graph is None else self.graph.replay()


def void(_: Any) -> None:
    pass


def assert_same(a: Captured, b: Captured) -> None:
    torch.cuda.synchronize()
    assert_close(all_of(a.optimizer), all_of(b.optimizer), 1e-12)


@pytest.mark.parametrize("name", ["Adam", "SGD", "NAdam", "RAdam", "Adadelta", "RMSprop"])
def test_a_captured_step_is_the_eager_one(name: str) -> None:
    captured, plain = (Captured(lambda p: getattr(slalom.optim, name)(p, lr=0.01)) for _ in range(2))
    for run in (captured, plain):
        run.warm()
    captured.capture()
    for run in (captured, plain):
        run.train(range(3, 13))
    assert_same(captured, plain)
    captured.once()  # an eager step between replays has gradients of its own
    plain.once()
    for run in (captured, plain):
        run.train(range(13, 16))
    assert_same(captured, plain)
    assert all(float(state["step"]) == 17 for state in captured.optimizer.state.values())


def test_a_rate_on_the_device_changes_between_replays() -> None:
    lr = torch.tensor(0.01, device="cuda", dtype=torch.float64)
    captured, plain = Captured(lambda p: slalom.optim.Adam(p, lr=lr)), Captured(lambda p: slalom.optim.Adam(p, lr=0.01))
    for run in (captured, plain):
        run.warm()
    captured.capture()
    rates = [0.01 / (i + 1) for i in range(20)]
    captured.train(range(3, 13), lambda i: void(lr.fill_(rates[i])))
    plain.train(range(3, 13), lambda i: plain.optimizer.param_groups[0].update(lr=rates[i]))
    assert_same(captured, plain)


def test_clipping_inside_a_graph() -> None:
    captured, plain = (Captured(lambda p: slalom.optim.Adam(p, lr=0.01, clip_grad_norm=0.1)) for _ in range(2))
    for run in (captured, plain):
        run.warm()
    captured.capture()
    for run in (captured, plain):
        run.train(range(3, 8))
    assert_same(captured, plain)
    assert float(captured.optimizer.grad_norm) == pytest.approx(float(plain.optimizer.grad_norm), rel=1e-12)  # type: ignore[arg-type]


def never_waiting(call: Callable[[], Any]) -> None:
    """Calls it; an operation that waits for the device is an error."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        call()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_step_never_waits_for_the_device() -> None:
    lr = torch.tensor(0.1, device="cuda")
    optimizer = slalom.optim.AdamW(parameters("cuda", torch.float32), lr=lr, weight_decay=0.1, clip_grad_norm=1.0)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    for i in range(2):
        step(optimizer, i)
        scheduler.step()
    grads = gradients(2, optimizer.param_groups[0]["params"])
    for p, g in zip(optimizer.param_groups[0]["params"], grads, strict=True):
        p.grad = g
    never_waiting(optimizer.step)


@pytest.mark.parametrize("name", ["Adam", "SGD"])
def test_gradscaler_skips_without_waiting(name: str) -> None:
    made = []
    for cls, extra in ((getattr(slalom.optim, name), {}), (getattr(torch.optim, name), {"foreach": False})):
        params = parameters("cuda", torch.float32)
        optimizer = cls(params, lr=0.1, **extra)
        scaler = torch.amp.GradScaler("cuda", init_scale=1024.0, growth_interval=2)
        for i in range(7):
            optimizer.zero_grad()
            loss = sum((p * g).sum() for p, g in zip(params, gradients(i, params), strict=True))
            scaler.scale(loss * (float("inf") if i in (0, 4) else 1.0)).backward()  # type: ignore[operator]
            if cls.__module__.startswith("slalom") and i > 1:
                never_waiting(partial(scaler.step, optimizer))
            else:
                scaler.step(optimizer)
            scaler.update()
        made.append([p.detach().cpu() for p in params])
    assert_close(*made, 2e-6)


def test_a_state_dict_goes_to_the_processor_and_back() -> None:
    first = slalom.optim.NAdam(parameters("cuda", torch.float64), lr=0.1)
    plain = slalom.optim.NAdam(parameters("cpu", torch.float64), lr=0.1)
    for i in range(3):
        step(first, i)
    there = slalom.optim.NAdam([torch.nn.Parameter(p.detach().cpu()) for p in first.param_groups[0]["params"]], lr=1.0)
    there.load_state_dict(copy.deepcopy(first.state_dict()))
    for i in range(3, 6):
        step(there, i)
    back = slalom.optim.NAdam([torch.nn.Parameter(p.detach().cuda()) for p in there.param_groups[0]["params"]], lr=1.0)
    back.load_state_dict(there.state_dict())
    for i in range(6, 9):
        step(back, i)
    for i in range(9):
        step(plain, i)
    assert on_device(back)
    assert_close(all_of(back), all_of(plain), 1e-12)


def test_a_step_on_another_stream() -> None:
    found = []
    for stream in (None, torch.cuda.Stream()):
        optimizer = slalom.optim.Adam(parameters("cuda", torch.float64), lr=0.1)
        for i in range(6):
            if stream is not None and i % 2:
                stream.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(stream):
                    step(optimizer, i)
                torch.cuda.current_stream().wait_stream(stream)
            else:
                step(optimizer, i)
        torch.cuda.synchronize()
        found.append(all_of(optimizer))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_parameters_on_two_devices() -> None:
    params = [torch.nn.Parameter(torch.ones(5, device=f"cuda:{k}")) for k in range(2)]
    optimizer = slalom.optim.Adam(params, lr=0.1, clip_grad_norm=1.0)
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    assert torch.equal(params[0].detach().cpu(), params[1].detach().cpu())
