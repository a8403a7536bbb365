"""The CUDA step, played by the processor, against the eager path: every rule and option, late first gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from slalom.engines import fused_cuda
from slalom.testing.cases import Case
from tests.engines.kernels.cuda.emulation import Emulated
from tests.engines.test_fused import CASES, CLASSES, SHAPES, given, train

# Of each program the case that changes the most hypers: the device is given all of them alike.
MOST = list({case.settings.program: case for case in sorted(CASES, key=lambda c: len(c.given))}.values())


def error(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """The largest difference, relative to the larger of 1 and the largest number of its tensor."""
    assert found.keys() == expected.keys()
    worst = 0.0
    for key, value in expected.items():
        assert found[key].dtype == value.dtype
        assert found[key].shape == value.shape
        if value.numel():
            worst = max(worst, float((found[key] - value).abs().max() / value.abs().max().clamp(min=1)))
    return worst


def both(monkeypatch: pytest.MonkeyPatch, *args: Any, **kwargs: Any) -> float:
    with monkeypatch.context() as patch:
        patch.setattr(fused_cuda, "cuda_table", lambda *a: None)
        expected = train(*args, **kwargs)
    return error(train(*args, **kwargs), expected)


@pytest.mark.parametrize("case", MOST, ids=lambda c: f"{c.rule.name}-{c}")
def test_every_rule_and_option_in_float64(case: Case, played: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    cls, options = CLASSES[case.rule.name], given(case)
    before = played.launches()
    assert both(monkeypatch, lambda params: cls(params, **options), SHAPES, steps=20, late=2) <= 1e-12
    assert (played.launches() > before) == (case.rule.name != "windowed_adadelta")
