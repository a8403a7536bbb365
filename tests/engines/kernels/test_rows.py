"""Rows are transactions that know nothing of each other: skip, NaN, clipping, neighbours, threads, long rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from slalom.core.errors import BadValueError
from slalom.engines.kernels import (
    BAD_GRADIENT,
    BAD_PARAMETER,
    SKIPPED,
    UPDATED,
    compile_program,
    kernel,
    reference_program,
)  # fmt: skip
from slalom.rules import adam, lp_adam, sgd
from tests.engines.kernels.lanes import Stacked

MAKERS = [compile_program, reference_program]


def everything(lanes: Stacked) -> list[torch.Tensor]:
    return [lanes.P, *lanes.states.values()]


def copies(lanes: Stacked) -> list[torch.Tensor]:
    return [x.clone() for x in everything(lanes)]


def same(a: list[torch.Tensor], b: list[torch.Tensor], rows: list[int]) -> bool:
    return all(torch.equal(x[rows], y[rows]) for x, y in zip(a, b, strict=True))


@pytest.fixture(params=[0, 1 << 30], ids=["long", "short"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Force the path for long rows (twice, by chunks) or the one with a log."""
    monkeypatch.setattr(kernel, "LOG_BYTES", request.param)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("settings", [adam(), lp_adam(), sgd(momentum=0.9)], ids=lambda s: s.rule.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_row_is_bit_identical_whatever_its_company_and_threads(settings: object, dtype: torch.dtype) -> None:
    width = 20011  # not a multiple of the chunk or of a vector
    together, alone = (Stacked(settings, 5, width, dtype) for _ in range(2))  # type: ignore[arg-type]
    one = compile_program(settings, dtype)  # type: ignore[arg-type]
    for t in range(1, 4):
        G = together.gradient()
        report = together.step(one, G, t, threads=2)
        for k in (3, 1):
            values = {key: v[k : k + 1] for key, v in alone.values.items()}
            coefficients, _ = one.coefficients(values, t)
            lonely = one.step(alone.P, G, alone.states, [k], coefficients, threads=1)
            assert lonely.grad_sq[0] == report.grad_sq[k]
    assert same(everything(together), everything(alone), [1, 3])
    assert not torch.equal(together.P[0], alone.P[0])


def test_the_two_paths_agree_bit_for_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for limit in (0, 1 << 30):
        monkeypatch.setattr(kernel, "LOG_BYTES", limit)
        lanes = Stacked(adam(), 3, 40000, torch.float32)
        made = compile_program(adam(), torch.float32)
        report = lanes.step(made, lanes.gradient(), 1, clip=0.5, threads=2)
        results.append((everything(lanes), report.grad_sq))
    assert same(results[0][0], results[1][0], [0, 1, 2])
    assert (results[0][1] == results[1][1]).all()


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("make", MAKERS, ids=["compiled", "torch"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", [0, 16, 100])
def test_rows_with_a_bad_gradient_or_skipped_stay_as_they_are(make: object, bad: float, place: int) -> None:
    lanes, clean = (Stacked(adam(), 4, 101, torch.float32) for _ in range(2))
    one = make(adam(), torch.float32)  # type: ignore[operator]
    for t in range(1, 3):
        G = lanes.gradient()
        lanes.step(one, G, t)
        clean.step(one, G, t)
    before = copies(lanes)
    clean.step(one, G, 3)
    G = G.clone()
    G[1, place] = bad
    report = lanes.step(one, G, 3, skip=[0, 0, 1, 0])
    assert report.status.tolist() == [UPDATED, BAD_GRADIENT, SKIPPED, UPDATED]
    assert report.updated.tolist() == [True, False, False, True]
    assert same(everything(lanes), before, [1, 2])
    assert same(everything(lanes), everything(clean), [0, 3])
    assert not torch.equal(lanes.P[0], before[0][0])


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("make", MAKERS, ids=["compiled", "torch"])
def test_a_step_that_would_overflow_leaves_row_and_states_untouched(make: object) -> None:
    settings = sgd(momentum=0.9)
    lanes = Stacked(settings, 3, 33, torch.float32)
    lanes.values["lr"] = np.array([1e-3, 1e30, 1e-3])
    one = make(settings, torch.float32)  # type: ignore[operator]
    G = lanes.gradient()
    G[1, 32] = 1e20
    before = copies(lanes)
    report = lanes.step(one, G, 1)
    assert report.status.tolist() == [UPDATED, BAD_PARAMETER, UPDATED]
    assert same(everything(lanes), before, [1])
    assert not torch.equal(lanes.P[[0, 2]], before[0][[0, 2]])


def test_bad_rows_side_by_side_are_put_back_each_from_its_own_log() -> None:
    settings, n = sgd(momentum=0.9), 64
    lanes = Stacked(settings, n, 9001, torch.float32)
    lanes.values["lr"] = np.full(n, 1e30)
    G = lanes.gradient()
    G[:, -1] = 1e20
    before = copies(lanes)
    report = lanes.step(compile_program(settings, torch.float32), G, 1, threads=4)
    assert (report.status == BAD_PARAMETER).all()
    assert same(everything(lanes), before, list(range(n)))


def test_a_nan_in_the_branch_not_taken_does_not_leak() -> None:
    settings = sgd(momentum=0.9)
    for make in MAKERS:
        lanes = Stacked(settings, 2, 20, torch.float64)
        lanes.states["v"].fill_(float("nan"))  # the first velocity is the gradient, whatever lay there
        assert lanes.step(make(settings, torch.float64), lanes.gradient(), 1).updated.all()
        assert torch.isfinite(lanes.states["v"]).all()


@pytest.mark.parametrize("make", MAKERS, ids=["compiled", "torch"])
def test_scale_and_clip_are_torchs(make: object) -> None:
    settings = sgd()
    lanes = Stacked(settings, 3, 50, torch.float64)
    lanes.values["lr"] = np.ones(3)
    G = lanes.gradient()
    before = lanes.P.clone()
    clip = [0.1, 1e9, np.inf]
    report = lanes.step(make(settings, torch.float64), G, 1, scale=[2.0, 0.5, 1.0], clip=clip)  # type: ignore[operator]
    np.testing.assert_allclose(report.grad_sq, G.square().sum(1), rtol=1e-14)
    for k, factor in enumerate([2.0, 0.5, 1.0]):
        p = torch.nn.Parameter(before[k].clone())
        p.grad = G[k] * factor
        torch.nn.utils.clip_grad_norm_([p], clip[k])
        torch.testing.assert_close(lanes.P[k], before[k] - p.grad, rtol=1e-14, atol=1e-15)


def test_norms_are_the_sums_that_step_reports() -> None:
    lanes = Stacked(adam(), 4, 33000, torch.float64)
    made = compile_program(adam(), torch.float64)
    G = lanes.gradient()
    G[2, 5] = float("nan")
    G[3, 5] = 1e200  # its square is beyond double; the gradient itself is finite
    squares, finite = made.norms(G, [3, 1, 2])
    assert finite.tolist() == [True, True, False]
    report = lanes.step(made, G, 1)
    assert report.status.tolist() == [UPDATED, UPDATED, BAD_GRADIENT, UPDATED]
    assert squares[1] == report.grad_sq[1]
    np.testing.assert_allclose(squares[1], float(G[1].square().sum()), rtol=1e-13)


@pytest.mark.parametrize("make", MAKERS, ids=["compiled", "torch"])
def test_states_may_live_in_rows_of_their_own(make: object) -> None:
    one = make(adam(), torch.float64)  # type: ignore[operator]
    wide, own = (Stacked(adam(), 3, 9, torch.float64) for _ in range(2))
    G = wide.gradient()
    coefficients, _ = one.coefficients(wide.values, 1)
    one.step(wide.P, G, wide.states, [0, 1, 2], coefficients)
    P = torch.zeros(8, 9, dtype=torch.float64)
    P[[6, 2, 4]] = own.P
    spread = torch.zeros_like(P)
    spread[[6, 2, 4]] = G
    one.step(P, spread, own.states, [6, 2, 4], coefficients, state_rows=[0, 1, 2])
    assert torch.equal(P[[6, 2, 4]], wide.P)
    assert same(list(own.states.values()), list(wide.states.values()), [0, 1, 2])
    assert not P[[0, 1, 3, 5, 7]].any()


@pytest.mark.parametrize("make", MAKERS, ids=["compiled", "torch"])
def test_wrong_arguments_are_named(make: object) -> None:
    one = make(adam(), torch.float32)  # type: ignore[operator]
    lanes = Stacked(adam(), 3, 9, torch.float32)
    coefficients, _ = one.coefficients(lanes.values, 1)
    P, G, S, rows = lanes.P, lanes.P.clone(), lanes.states, [0, 1, 2]
    for match, arguments in {
        r"adam: P must be a CPU matrix.*float32.*float64": (P.double(), G, S, rows, coefficients),
        r"adam: G must be a CPU matrix \[3, 9\]": (P, G[:2], S, rows, coefficients),
        r"contiguous rows": (P.T.contiguous().T, G, S, rows, coefficients),
        r"'v' is missing": (P, G, {"m": S["m"]}, rows, coefficients),
        r"must be row numbers in \[0, 3\)": (P, G, S, [0, 1, 3], coefficients),
        r"must name each row once": (P, G, S, [0, 1, 1], coefficients),
        r"coefficients": (P, G, S, rows, coefficients[:2]),
    }.items():
        with pytest.raises(BadValueError, match=match):
            one.step(*arguments)
    assert one.step(P, G, S, np.empty(0, np.int64), coefficients[:0]).status.size == 0
