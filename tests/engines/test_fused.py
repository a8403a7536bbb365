"""The fused step's numbers: against the eager path, every rule and option, any shape, any number of threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import slalom.optim
from slalom.core.rule import REGISTRY
from slalom.engines import fused
from slalom.engines.optimizer import RuleOptimizer
from slalom.engines.signature import arguments
from slalom.testing.cases import Case, cases
from tests.engines.kernels.lanes import variants

CLASSES = {
    cls.rule.name: cls for n in slalom.optim.__all__ if isinstance(cls := getattr(slalom.optim, n), type) and hasattr(cls, "rule")
}
PROGRAMS = {s.program for s in variants(product=False)}  # a compilation each; the formulas' own tests read every combination
CASES = [c for name in CLASSES for c in cases(REGISTRY[name]) if c.settings.program in PROGRAMS]
SHAPES: list[tuple[int, ...]] = [(), (0,), (1,), (17,), (3, 5), (2, 3, 4, 4)]


def given(case: Case) -> dict[str, Any]:
    settings = case.settings
    made: dict[str, Any] = {}
    for a in arguments(case.rule):
        if a.is_option:
            made[a.name] = settings.options[a.name]
        elif a.names:
            values = tuple(settings.values[n] for n in a.names)
            made[a.name] = values if a.is_tuple else values[0]
    return made


def parameters(shapes: list[tuple[int, ...]], dtype: torch.dtype) -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64).to(dtype)) for s in shapes]


def train(
    make: Callable[[list[torch.nn.Parameter]], RuleOptimizer],
    shapes: list[tuple[int, ...]],
    steps: int = 50,
    dtype: torch.dtype = torch.float64,
    late: int = 0,
) -> dict[str, torch.Tensor]:
    """Parameters and states after some steps; the last parameter has no gradient in the first `late` ones."""
    params = parameters(shapes, dtype)
    optimizer = make(params)
    generator = torch.Generator().manual_seed(1)
    for i in range(steps):
        for k, p in enumerate(params):
            g = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(dtype)
            p.grad = None if i < late and k == len(params) - 1 else g
        optimizer.step()
    made = {f"parameter {k}": p.detach() for k, p in enumerate(params)}
    for k, p in enumerate(params):
        made |= {f"{key} {k}": value for key, value in optimizer.state[p].items()}
    return made


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Switches the compiled step off and on."""
    real = fused.kernel_of
    return lambda off: monkeypatch.setattr(fused, "kernel_of", (lambda *a: None) if off else real)


def both(eager: Callable[[bool], None], *args: Any, **kwargs: Any) -> float:
    """The largest difference, relative to the larger of 1 and the largest number of its tensor."""
    eager(True)
    expected = train(*args, **kwargs)
    eager(False)
    found = train(*args, **kwargs)
    assert found.keys() == expected.keys()
    worst = 0.0
    for key, value in expected.items():
        assert found[key].dtype == value.dtype
        assert found[key].shape == value.shape
        if value.numel():
            worst = max(worst, float((found[key] - value).abs().max() / value.abs().max().clamp(min=1)))
    return worst


def plans(optimizer: RuleOptimizer) -> list[fused.Plan]:
    return list(optimizer.__dict__["_plans"].values())


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.rule.name}-{c}")
def test_fused_is_eager_in_float64(case: Case, eager: Callable[[bool], None]) -> None:
    cls, options = CLASSES[case.rule.name], given(case)
    assert both(eager, lambda params: cls(params, **options), SHAPES) <= 1e-12


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("maximize", [False, True])
def test_every_rule_runs_fused(name: str, maximize: bool) -> None:
    params = parameters(SHAPES, torch.float32)
    optimizer = CLASSES[name](params, maximize=maximize)
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    (plan,) = plans(optimizer)
    assert [len(t.params) for t in plan.tables] == [len(SHAPES)]
    assert float(params[0].detach() - parameters(SHAPES, torch.float32)[0].detach()) * (1 if maximize else -1) > 0
    optimizer.step()
    assert plans(optimizer) == [plan]


@pytest.mark.parametrize("w", [1, 2, 7, 32, 33])
def test_a_window_is_fused_up_to_a_length(w: int, eager: Callable[[bool], None]) -> None:
    cls = CLASSES["windowed_adadelta"]
    assert both(eager, lambda params: cls(params, lr=0.1, w=w), SHAPES, steps=9) <= 1e-12
    optimizer = cls([p := torch.nn.Parameter(torch.ones(3))], w=w)
    p.grad = torch.ones(3)
    optimizer.step()
    assert bool(plans(optimizer)) == (w <= 32)


@pytest.mark.parametrize("name", ["adam", "nadam", "adadelta"])
@pytest.mark.parametrize(
    "shapes", [[(n % 37,) for n in range(160)], [(5 * 16384 + 3,), (7,), (2, 16384)]], ids=["160 small", "long"]
)
def test_many_small_and_long_tensors(name: str, shapes: list[tuple[int, ...]], eager: Callable[[bool], None]) -> None:
    assert both(eager, CLASSES[name], shapes, steps=6, late=2) <= 1e-12


@pytest.mark.parametrize("name", [n for n in CLASSES if n != "lion"])  # lion's sign turns a rounding into a step of lr
def test_float32_errs_as_the_eager_path_does(name: str, eager: Callable[[bool], None]) -> None:
    assert both(eager, CLASSES[name], SHAPES, steps=10, dtype=torch.float32) <= 2e-5


@pytest.mark.parametrize("name", CLASSES)
def test_a_late_first_gradient_counts_its_own_steps(name: str, eager: Callable[[bool], None]) -> None:
    assert both(eager, CLASSES[name], SHAPES, steps=9, late=4) <= 1e-12


@pytest.mark.parametrize("name", ["adam", "nadam"])
def test_the_number_of_threads_changes_no_bit(name: str) -> None:
    before = torch.get_num_threads()
    shapes = [(3 * 16384 + 5,), (11,), (16384,)]
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(train(CLASSES[name], shapes, steps=5, dtype=torch.float32))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(other[k], v) for k, v in found[0].items())


def test_nan_goes_where_it_goes_in_torch(eager: Callable[[bool], None]) -> None:
    for cls in CLASSES.values():
        found = []
        for off in (True, False):
            eager(off)
            p = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
            optimizer = cls([p])
            for _ in range(2):
                p.grad = torch.tensor([float("nan"), 1.0, float("inf")])
                optimizer.step()
            found.append([p.detach(), *optimizer.state[p].values()])
            assert p.isnan().tolist()[:2] == [True, False], cls  # Lion's sign, too: torch.sign would make it 0
        for a, b in zip(*found, strict=True):
            torch.testing.assert_close(a, b, equal_nan=True)


def test_a_planted_fault_is_seen(eager: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch) -> None:
    real = fused.Table.step

    def other_values(self: Any, values: Any, factor: float) -> None:
        real(self, {**values, "lr": values["lr"] * 1.001}, factor)

    monkeypatch.setattr(fused.Table, "step", other_values)
    assert both(eager, CLASSES["adam"], SHAPES) > 1e-6
