"""What the device does within a step: unscaling, skipping, clipping, 16-bit parameters, many tensors, odd addresses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from slalom.engines.kernels.cuda.driver import DriverError
from slalom.engines.kernels.cuda.source import BLOCK, CHUNK, FILL
from tests.engines.kernels.cuda.emulation import Emulated
from tests.engines.kernels.cuda.tables import Tensors

EDGES = [CHUNK, CHUNK - 1, CHUNK + 1, 2 * CHUNK + 3, 0, 3]


def number(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float32)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("name", ["adam", "sgd", "nadam"])
def test_chunk_edges_and_odd_addresses(name: str, offset: int, emulated: Emulated) -> None:
    tensors = Tensors(name, EDGES, offset=offset)
    table = tensors.table(emulated)
    for _ in range(3):
        tensors.new_gradients()
        tensors.step(table)
        tensors.step_reference()
    assert tensors.error() <= 1e-13


def test_more_tensors_than_a_block_has_threads_and_a_fill_has_words(emulated: Emulated) -> None:
    tensors = Tensors("nadam", [n % 7 for n in range(FILL + BLOCK)])
    table = tensors.table(emulated)
    for _ in range(3):
        tensors.new_gradients()
        tensors.step(table)
        tensors.step_reference()
    assert tensors.error() <= 1e-13
    assert all(state["step"] == 3 for state in tensors.states)


def test_a_step_on_the_same_gradients_is_two_launches(emulated: Emulated) -> None:
    tensors = Tensors("adam", EDGES)
    table = tensors.table(emulated)
    tensors.step(table)
    before = emulated.launches()
    tensors.step(table)
    assert emulated.launches() == before + 2
    tensors.new_gradients()
    tensors.step(table)
    assert emulated.launches() == before + 5  # and one that tells where the gradients are


def test_a_thread_without_a_context_gets_one(emulated: Emulated) -> None:
    tensors = Tensors("adam", EDGES)
    table = tensors.table(emulated)
    emulated.has_context(False)
    tensors.step(table)
    tensors.step_reference()
    assert tensors.error() <= 1e-13


def test_a_launch_that_the_driver_refuses_is_an_error_that_says_so(emulated: Emulated) -> None:
    kernel = Tensors("adam", [3]).table(emulated)._step.kernel
    with pytest.raises(DriverError, match=r"launch the optimizer's step: invalid argument .1."):
        kernel.launch("slalom_fill", [])(0, 0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
def test_16_bit_parameters_are_stepped_in_float32_and_rounded(name: str, dtype: torch.dtype, emulated: Emulated) -> None:
    tensors = Tensors(name, EDGES, dtype, lr=0.1)
    table = tensors.table(emulated)
    for _ in range(4):
        tensors.new_gradients()
        tensors.step(table)
        tensors.step_reference()
    assert tensors.error() <= 1e-6 + (0 if name == "sgd" else float(torch.finfo(dtype).eps))  # a tie may round either way
    exact = sum(int((p == q.to(dtype)).sum()) for p, (q, _) in zip(tensors.params, tensors.reference, strict=True))
    assert exact >= 0.999 * sum(EDGES)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rounding_is_torchs_for_every_kind_of_number(dtype: torch.dtype, emulated: Emulated) -> None:
    # sgd with lr 1 stores p - g: with p = 0, every float32 there is a 16-bit neighbour of
    bits = np.random.default_rng(0).integers(0, 1 << 16, 5000, dtype=np.uint16)
    some = torch.from_numpy(bits.view(np.int16)).view(dtype)
    tensors = Tensors("sgd", [5000, 5000], dtype, lr=1.0)
    tensors.params[0].copy_(some)
    tensors.params[1].copy_(torch.randn(5000, generator=tensors.random) * 1e-6)
    tensors.grads[1].copy_(torch.randn(5000, generator=tensors.random))
    expected = [(p.float() - g.float()).to(dtype) for p, g in zip(tensors.params, tensors.grads, strict=True)]
    tensors.step(tensors.table(emulated))
    for p, e in zip(tensors.params, expected, strict=True):
        torch.testing.assert_close(p, e, rtol=0, atol=0, equal_nan=True)


def test_unscaling_by_a_power_of_two_changes_no_bit(emulated: Emulated) -> None:
    plain, scaled = Tensors("adam", EDGES, torch.float32), Tensors("adam", EDGES, torch.float32)
    plain.step(plain.table(emulated))
    scaled.grads = [g * 65536 for g in scaled.grads]
    before = [g.clone() for g in scaled.grads]
    scaled.step(scaled.table(emulated), grad_scale=number(65536.0), found_inf=number(0.0))
    for a, b in zip(plain.all(), scaled.all(), strict=True):
        assert torch.equal(a, b)
    assert all(torch.equal(a, b) for a, b in zip(before, scaled.grads, strict=True))


@pytest.mark.parametrize("name", ["adam", "momentum", "nadam"])
def test_a_step_that_the_scaler_found_infinite_leaves_no_trace(name: str, emulated: Emulated) -> None:
    tensors = Tensors(name, EDGES)
    table = tensors.table(emulated)
    good, bad = tensors.grads, [torch.full_like(g, math.inf) for g in tensors.grads]
    before = [x.clone() for x in tensors.all()]
    tensors.grads = bad
    tensors.step(table, grad_scale=number(2.0), found_inf=number(1.0))
    assert all(torch.equal(a, b) for a, b in zip(before, tensors.all(), strict=True))
    tensors.grads = good
    tensors.step(table, grad_scale=number(1.0), found_inf=number(0.0))
    tensors.step_reference()
    assert tensors.error() <= 1e-13
    assert all(state["step"] == 1 for state in tensors.states)


def clipped(emulated: Emulated, groups: list[Tensors], largest: float, **more: torch.Tensor) -> list[torch.Tensor]:
    tables = [t.table(emulated) for t in groups]
    room = torch.zeros(sum(table.sums for table in tables), dtype=torch.float64)
    begin = 0
    for table in tables:
        table.squares(room[begin : begin + table.sums])
        begin += table.sums
    return [t.step(table, sums=room, clip=largest, **more) for t, table in zip(groups, tables, strict=True)]


@pytest.mark.parametrize("largest", [0.5, 1e6, math.inf])
def test_clipping_is_torchs_over_tables_of_every_dtype(largest: float, emulated: Emulated) -> None:
    dtypes = [torch.float64, torch.float32, torch.bfloat16]
    groups = [Tensors("adam", EDGES, dtype, seed=k) for k, dtype in enumerate(dtypes)]
    twins = [torch.nn.Parameter(g.double()) for t in groups for g in t.grads]
    for twin in twins:
        twin.grad = twin.detach().clone()
    norm = torch.nn.utils.clip_grad_norm_(twins, largest)
    share = min(1.0, largest / (float(norm) + 1e-6))
    told = clipped(emulated, groups, largest)
    for t, info in zip(groups, told, strict=True):
        assert float(info[1]) == pytest.approx(float(norm), rel=1e-12)
        assert float(info[0]) == pytest.approx(share, rel=1e-12)
        t.step_reference(share)
        assert t.error() <= {8: 1e-12, 4: 1e-6, 2: 1e-2}[t.dtype.itemsize]


def test_the_norm_is_the_same_bits_at_any_address(emulated: Emulated) -> None:
    found = []
    for offset in (0, 1):
        tensors = Tensors("adam", EDGES, offset=offset)
        (info,) = clipped(emulated, [tensors], 0.5, grad_scale=number(3.0))
        found.append(info.clone())
    assert torch.equal(*found)
    exact = math.sqrt(math.fsum(float(x) ** 2 for g in tensors.grads for x in g)) / 3
    assert float(found[0][1]) == pytest.approx(exact, rel=1e-13)


def test_the_norm_over_more_chunks_than_there_are_blocks(emulated: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slalom.engines.kernels.cuda.kernel.MOST_SUMS", 3)
    tensors = Tensors("sgd", [7 * CHUNK + 5, 3, CHUNK], torch.float32)
    (info,) = clipped(emulated, [tensors], 0.5)
    assert float(info[1]) == pytest.approx(float(torch.cat(tensors.grads).double().norm()), rel=1e-13)


def test_a_nan_goes_where_it_goes_in_torch(emulated: Emulated) -> None:
    tensors = Tensors("adam", [5, 4])
    tensors.grads[1][2] = math.nan
    table = tensors.table(emulated)
    tensors.step(table)
    assert [int(p.isnan().sum()) for p in tensors.params] == [0, 1]
    (info,) = clipped(emulated, [tensors], 1.0)  # a norm that is NaN makes all gradients so
    assert math.isnan(float(info[1]))
    assert all(p.isnan().all() for p in tensors.params)
