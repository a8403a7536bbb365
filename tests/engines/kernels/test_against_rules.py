"""The compiled step and its torch stand-in against the rule run as it is written, lane by lane."""

from __future__ import annotations

import pytest
import torch

from slalom.core.rule import REGISTRY, Settings
from slalom.engines.kernels import Kernel, compile_programs, reference_program
from tests.engines.kernels.lanes import Stacked, name, variants
from tests.engines.kernels.odd_rule import odd

ALL = [*variants(product=False), odd()]  # compiled, a third of a second each; test_formulas.py reads every combination
DEFAULTS = [s for s in ALL if s.program in {r().program for r in REGISTRY.values()}]


@pytest.fixture(scope="module")
def kernels() -> dict[object, Kernel]:
    return {s.program: k for s, k in zip(ALL, compile_programs(ALL, torch.float64), strict=True)}


@pytest.mark.parametrize("settings", ALL, ids=name)
def test_compiled_step_is_the_rule_in_float64(settings: Settings, kernels: dict[object, Kernel]) -> None:
    lanes = Stacked(settings, 3, 37, torch.float64)
    for t in range(1, 51):
        G = lanes.gradient()
        assert lanes.step(kernels[settings.program], G, t).updated.all()
        lanes.step_solo(G, t)
    assert lanes.error() <= 1e-12


@pytest.mark.parametrize("settings", DEFAULTS, ids=name)
def test_compiled_step_in_float32_errs_as_torch_does(settings: Settings) -> None:
    (kernel,) = compile_programs([settings], torch.float32)
    lanes = Stacked(settings, 3, 37, torch.float32)
    for t in range(1, 11):
        G = lanes.gradient()
        lanes.step(kernel, G, t)
        lanes.step_solo(G, t)
    assert lanes.P.dtype == torch.float32
    # lion's sign flips where two float32 roundings straddle zero: one step of lr, far above rounding
    assert lanes.error() <= (1e-3 if settings.rule.name == "lion" else 2e-5)


@pytest.mark.parametrize("settings", [*variants(printable=False)[::3], odd()], ids=name)
def test_torch_stand_in_is_the_rule(settings: Settings) -> None:
    lanes = Stacked(settings, 3, 5, torch.float64)
    kernel = reference_program(settings, torch.float64)
    for t in range(1, 9):
        G = lanes.gradient()
        assert lanes.step(kernel, G, t).updated.all()
        lanes.step_solo(G, t)
    assert lanes.error() <= 1e-12
