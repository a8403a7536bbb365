"""16-bit parameters and states: the rounding is torch's, the arithmetic float32's, chance unbiased and repeatable."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

import slalom.optim
from slalom.core.errors import BadValueError
from slalom.engines import fused
from slalom.engines.kernels import storage
from slalom.engines.optimizer import RuleOptimizer
from slalom.engines.rounding import rounded, stream
from tests.engines.test_fused import CLASSES, eager  # noqa: F401 (a fixture)

Switch = Callable[[bool], None]
BF16, F16, F32, F64 = torch.bfloat16, torch.float16, torch.float32, torch.float64
every = pytest.mark.parametrize("name", CLASSES)
SHAPES: list[tuple[int, ...]] = [(), (0,), (17,), (3, 5), (2, 3, 4, 4)]


def parameters(dtype: torch.dtype) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    made = [nn.Parameter(torch.randn(s, generator=generator).to(dtype)) for s in SHAPES]
    made[-1].data = made[-1].data.to(memory_format=torch.channels_last)
    return made


def run(cls: Any, dtype: torch.dtype, steps: int = 4, **kwargs: Any) -> tuple[RuleOptimizer, list[torch.Tensor]]:
    torch.manual_seed(1)
    params = parameters(dtype)
    optimizer = cls(params, lr=0.01, **kwargs)
    generator = torch.Generator().manual_seed(2)
    for _ in range(steps):
        for p in params:
            p.grad = torch.randn(p.shape, generator=generator).to(dtype).to(memory_format=torch.preserve_format)
            p.grad = torch.empty_like(p).copy_(p.grad)
        optimizer.step()
    return optimizer, [x.detach() for p in params for x in (p, *optimizer.state[p].values())]


def fused_tables(optimizer: RuleOptimizer) -> int:
    return sum(len(plan.tables) for plan in optimizer.__dict__["_plans"].values())


@pytest.mark.parametrize("dtype", [BF16, F16])
def test_a_window_in_16_bits_is_the_one_in_32_rounded(dtype: torch.dtype) -> None:
    p, q = nn.Parameter(torch.linspace(1, 2, 40).to(dtype)), nn.Parameter(torch.linspace(1, 2, 40).to(dtype).float())
    mine, wide = (CLASSES["windowed_adadelta"]([x], lr=0.1, w=3) for x in (p, q))
    for t in range(5):
        p.grad = torch.linspace(-1, 1, 40).roll(t).to(dtype)
        q.grad = p.grad.float()
        mine.step()
        wide.step()
        assert torch.equal(p.detach(), q.detach().to(dtype))
        assert torch.equal(mine.state[p]["G"], wide.state[q]["G"])
        q.data.copy_(p.data)
    assert fused_tables(mine) == 1


@every
@pytest.mark.parametrize("dtype", [BF16, F16])
@pytest.mark.parametrize("kwargs", [{}, {"state_dtype": BF16}, {"state_dtype": F64}], ids=str)
def test_fused_is_eager(name: str, dtype: torch.dtype, kwargs: dict[str, Any], eager: Switch) -> None:  # noqa: F811
    found = []
    for off in (False, True):
        eager(off)
        optimizer, numbers = run(CLASSES[name], dtype, **kwargs)
        # A window of a parameter that lies in another order is left to the rule itself.
        assert bool(fused_tables(optimizer)) == (not off and name != "windowed_adadelta")
        found.append(numbers)
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype
        # The arithmetic differs by rounding in float32: a last place of what is stored may fall to the other side.
        last = 2**-7 if BF16 in (a.dtype, kwargs.get("state_dtype")) else 2**-9
        torch.testing.assert_close(a.double(), b.double(), rtol=last, atol=1e-3 if name == "lion" else 1e-6)


@pytest.mark.parametrize("dtype", [BF16, F16])
def test_a_step_is_the_float32_step_rounded(dtype: torch.dtype) -> None:
    p = nn.Parameter(torch.randn(1000, generator=torch.Generator().manual_seed(0)).to(dtype))
    q = nn.Parameter(p.detach().float())
    mine, other = slalom.optim.Adam([p], lr=0.01), torch.optim.Adam([q], lr=0.01)
    for i in range(3):
        p.grad = torch.randn(1000, generator=torch.Generator().manual_seed(i)).to(dtype)
        q.data = p.detach().float()
        q.grad = p.grad.float()
        mine.step()
        other.step()
        wrong = (p.detach() != q.detach().to(dtype)).sum()
        assert wrong <= 2  # a float32 rounding that falls on a tie of the 16-bit ones
        torch.testing.assert_close(mine.state[p]["exp_avg_sq"], other.state[q]["exp_avg_sq"], rtol=1e-5, atol=0)


@pytest.mark.parametrize("dtype", [BF16, F16])
def test_every_16_bit_number_is_read_and_rounded_as_torch_does(dtype: torch.dtype) -> None:
    words = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
    p = nn.Parameter(words.clone())
    optimizer = slalom.optim.SGD([p], lr=1.0)
    p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(p.detach(), words, rtol=0, atol=0, equal_nan=True)
    q = nn.Parameter(words.clone())  # and each moved by a third of itself, half of it and by a little
    for factor in (1 / 3, 0.5, 2**-9, 2**-12, -1.0):
        q.data, q.grad = words.clone(), words.clone()
        optimizer = slalom.optim.SGD([q], lr=1.0, clip_grad_norm=None)
        optimizer.param_groups[0]["lr"] = abs(factor)
        optimizer.param_groups[0]["maximize"] = factor < 0
        optimizer.step()
        wide = words.float()
        expected = (wide - factor * wide).to(dtype)
        torch.testing.assert_close(q.detach(), expected, rtol=0, atol=0, equal_nan=True)
    random = torch.randint(-(2**31), 2**31, (20000,), generator=torch.Generator().manual_seed(5)).to(torch.int32).view(F32)
    r = nn.Parameter(torch.zeros(20000, dtype=dtype))
    r.grad = torch.zeros(20000, dtype=dtype)
    momentum = slalom.optim.SGD([r], lr=1.0, momentum=1.0)
    momentum.step()
    momentum.state[r]["momentum_buffer"].copy_(-random)
    momentum.step()
    torch.testing.assert_close(r.detach(), random.to(dtype), rtol=0, atol=0, equal_nan=True)


def test_states_of_16_bit_parameters_are_float32_and_load_both_ways() -> None:
    p = nn.Parameter(torch.ones(3, dtype=BF16))
    q = nn.Parameter(torch.ones(3, dtype=BF16))
    mine, torchs = slalom.optim.Adam([p]), torch.optim.Adam([q])
    for o, x in ((mine, p), (torchs, q)):
        x.grad = torch.tensor([1.0, 2.0, 3.0], dtype=BF16)
        o.step()
    assert mine.state[p]["exp_avg"].dtype == F32
    assert torchs.state[q]["exp_avg"].dtype == BF16
    torchs.load_state_dict(mine.state_dict())
    torchs.step()
    mine.load_state_dict(torchs.state_dict())
    assert mine.state[p]["exp_avg"].dtype == F32
    mine.step()
    small = slalom.optim.Adam([p], state_dtype=BF16)
    small.load_state_dict(torchs.state_dict() | {"param_groups": small.state_dict()["param_groups"]})
    assert small.state[p]["exp_avg"].dtype == BF16
    small.step()
    assert fused_tables(small) == 1
    other = slalom.optim.Adam([p])
    other.load_state_dict(small.state_dict())
    assert other.param_groups[0]["state_dtype"] is BF16
    assert other.state[p]["exp_avg"].dtype == BF16


def test_v_stalls_in_bfloat16_and_not_in_float32() -> None:
    # After gradients of 1, gradients of 0.25: v should fall to 0.0625. In bfloat16, v - 0.001 v rounds back to v.
    found = {}
    for dtype in (BF16, F32):
        p = nn.Parameter(torch.zeros(1, dtype=BF16))
        optimizer = slalom.optim.Adam([p], lr=0.0, state_dtype=dtype)
        p.grad = torch.ones_like(p)
        optimizer.step()
        optimizer.state[p]["exp_avg_sq"].fill_(1.0)
        p.grad = torch.full_like(p, 0.25)
        for _ in range(1500):
            optimizer.step()
        found[dtype] = optimizer.state[p]["exp_avg_sq"].item()
    assert found[BF16] == 1.0
    assert found[F32] == pytest.approx(0.0625 + 0.9375 * 0.999**1500, rel=1e-4)


# By chance ------------------------------------------------------------------------------------------------------------


@every
def test_chance_is_the_same_fused_and_eager(name: str, eager: Switch) -> None:  # noqa: F811
    found = []
    for off in (False, True):
        eager(off)
        _, numbers = run(CLASSES[name], BF16, steps=3, state_dtype=BF16, stochastic_rounding=True)
        found.append(numbers)
    equal, total = 0, 0
    for a, b in zip(*found, strict=True):
        equal, total = equal + int((a == b).sum()), total + a.numel()
        if name != "lion":
            torch.testing.assert_close(a.double(), b.double(), rtol=2**-6, atol=1e-5)
    assert equal / total > 0.97  # the rest: float32 roundings beside the bits' edge; other bits would give a half


def test_the_bits_are_those_of_the_definition() -> None:
    # SplitMix64 and lowbias32 in Python's own integers.
    p = nn.Parameter(torch.zeros(3, 4, dtype=BF16))
    p.data = p.data.t().contiguous().t()  # places go down the columns
    torch.manual_seed(7)
    optimizer = slalom.optim.SGD([nn.Parameter(torch.ones(1, dtype=BF16)), p], lr=1.0, stochastic_rounding=True)
    seed = optimizer.param_groups[0]["rounding_seed"]
    torch.manual_seed(7)
    assert seed == int(torch.randint(1 << 62, ()).item())
    golden, word = 0x9E3779B97F4A7C15, 2**64 - 1

    def mix64(x: int) -> int:
        x &= word
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & word
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & word
        return x ^ (x >> 31)

    def mix32(x: int) -> int:
        x &= 0xFFFFFFFF
        x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
        x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
        return x ^ (x >> 16)

    key = mix64(mix64(mix64(seed + golden * 2) + golden * 1))
    value = -torch.tensor(1.0 + 2**-8 * 0.5).item()
    momentum = torch.full((3, 4), value)
    expected = torch.empty(3, 4)
    for i in range(3):
        for j in range(4):
            bits = mix32(mix32(i + 3 * j + (key & 0xFFFFFFFF)) + (key >> 32)) & 0xFFFF
            expected[i, j] = -(1.0 + 2**-7) if bits + 0x4000 >= 0x10000 else -1.0
    p.grad = torch.empty_like(p).copy_(-momentum)  # 1.0 in bfloat16; what is missing comes from the factor of lr
    optimizer.param_groups[0]["lr"] = -value
    optimizer.step()
    assert fused_tables(optimizer) == 1
    assert torch.equal(p.detach().float(), expected)
    assert len(expected.unique()) == 2
    again = rounded(momentum, p, stream(seed, 1), 1, 0)
    assert torch.equal(again.float(), expected)


def test_the_mean_is_exact_and_neighbours_are_independent() -> None:
    n = 200_000
    p = nn.Parameter(torch.zeros(n, dtype=BF16))
    torch.manual_seed(0)
    optimizer = slalom.optim.SGD([p], lr=1.0, momentum=0.5, state_dtype=BF16, stochastic_rounding=True)
    x = torch.linspace(1.0, 1.0 + 2**-7, n)  # between two neighbours in bfloat16
    p.grad = torch.zeros_like(p)
    optimizer.step()
    ups = []
    for _ in range(2):
        p.data.zero_()
        optimizer.state[p]["momentum_buffer"].fill_(-1.0)
        p.grad = -torch.ones_like(p)
        optimizer.param_groups[0]["momentum"] = float(x[n // 3] - 1)  # -(1 + a fraction of the gap), for all
        optimizer.step()
        values = (p.detach().float(), -optimizer.state[p]["momentum_buffer"].float())
        share = float((x[n // 3] - 1) * 2**7)
        for v in values:
            assert set(v.unique().tolist()) == {1.0, 1.0 + 2**-7}
            up = (v > 1).double()
            ups.append(up)
            assert abs(up.mean() - share) < 4 * (share * (1 - share) / n) ** 0.5
    centred = [u - u.mean() for u in ups]
    for a in range(len(centred)):
        for b in range(a):  # parameter and state, step and step
            assert abs(float((centred[a] * centred[b]).mean())) < 4 * 0.25 / n**0.5
        assert abs(float((centred[a][1:] * centred[a][:-1]).mean())) < 4 * 0.25 / n**0.5


def test_special_numbers_pass_through_chance() -> None:
    big, inf, nan = torch.finfo(BF16).max, float("inf"), float("nan")
    p = nn.Parameter(torch.tensor([inf, -inf, nan, big, -big, 0.0, -0.0, 1.5], dtype=BF16))
    before = p.detach().clone()
    optimizer = slalom.optim.SGD([p], lr=1.0, stochastic_rounding=True)
    p.grad = torch.zeros_like(p)
    for _ in range(20):
        optimizer.step()
    torch.testing.assert_close(p.detach(), before, rtol=0, atol=0, equal_nan=True)


def test_small_steps_add_up_by_chance_and_are_lost_by_the_nearest() -> None:
    # A regression from weights of about 1 with steps below half a unit in the last place.
    def loss_after(dtype: torch.dtype, **kwargs: Any) -> float:
        torch.manual_seed(3)
        w = nn.Parameter(torch.full((64,), 1.0).to(dtype))
        target = 1.0 + 0.2 * torch.randn(64)
        optimizer = slalom.optim.Adam([w], lr=1e-3, **kwargs)
        for _ in range(800):
            w.grad = (w.detach().float() - target).to(dtype)
            optimizer.step()
        return float((w.detach().float() - target).square().mean())

    full, nearest, chance = loss_after(F32), loss_after(BF16), loss_after(BF16, stochastic_rounding=True)
    both = loss_after(BF16, stochastic_rounding=True, state_dtype=BF16)
    assert full < 1e-4
    assert nearest > 1e-2  # 1.0 + 0.001 is 1.0 in bfloat16: nothing above 1 moves up
    assert chance < 5e-4
    assert both < 5e-4


@pytest.mark.parametrize("name", ["adam", "adadelta"])
def test_no_thread_changes_a_bit_and_a_seed_repeats_a_run(name: str) -> None:
    def numbers(threads: int, seed: int) -> list[torch.Tensor]:
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        params = [nn.Parameter(torch.linspace(-1, 1, n).to(BF16)) for n in (3 * 16384 + 5, 11, 16384)]
        optimizer = CLASSES[name](params, lr=0.1, stochastic_rounding=True, state_dtype=BF16)
        for _ in range(3):
            for p in params:
                p.grad = p.detach().clone()
            optimizer.step()
        return [x for p in params for x in (p.detach(), *optimizer.state[p].values())]

    before = torch.get_num_threads()
    try:
        first = numbers(1, 0)
        for threads in (2, 3):
            assert all(torch.equal(a, b) for a, b in zip(first, numbers(threads, 0), strict=True))
        assert not torch.equal(first[0], numbers(1, 1)[0])
    finally:
        torch.set_num_threads(before)


@every
def test_a_run_goes_on_exactly(name: str) -> None:
    def train(optimizer: RuleOptimizer, p: nn.Parameter, steps: range) -> None:
        for i in steps:
            p.grad = torch.randn(50, generator=torch.Generator().manual_seed(i)).to(BF16)
            optimizer.step()

    p = nn.Parameter(torch.linspace(-1, 1, 50).to(BF16))
    how = {"lr": 0.01, "state_dtype": BF16, "stochastic_rounding": True}
    torch.manual_seed(0)
    optimizer = CLASSES[name]([p], **how)
    train(optimizer, p, range(3))
    file = io.BytesIO()
    torch.save({"p": p.detach(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    copies = [deepcopy((p, optimizer)), pickle.loads(pickle.dumps((p, optimizer)))]
    torch.manual_seed(99)
    q = nn.Parameter(saved["p"].clone())
    loaded = CLASSES[name]([q])
    loaded.load_state_dict(saved["optimizer"])
    train(optimizer, p, range(3, 6))
    for x, o in ((q, loaded), *copies):
        train(o, x, range(3, 6))
        assert torch.equal(x, p)
        for key, value in optimizer.state[p].items():
            assert torch.equal(o.state[x][key], value)


def test_it_can_be_switched_on_and_off_later() -> None:
    p = nn.Parameter(torch.full((4000,), 1.0, dtype=BF16))
    optimizer = slalom.optim.SGD([p], lr=2**-10)
    group = optimizer.param_groups[0]
    p.grad = -torch.ones_like(p)
    optimizer.step()
    assert torch.equal(p.detach(), torch.ones_like(p))
    group["stochastic_rounding"] = True
    optimizer.step()
    assert 300 < int((p > 1).sum()) < 700  # an eighth of 4000
    group["stochastic_rounding"] = False
    after = p.detach().clone()
    optimizer.step()
    assert torch.equal(p.detach(), after)


def test_what_makes_no_sense_is_refused() -> None:
    p, half = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2, dtype=F16))
    small, pair = nn.Parameter(torch.zeros(2, dtype=BF16)), nn.Parameter(torch.zeros(2, dtype=torch.complex64))
    adam = slalom.optim.Adam
    for params, kwargs, said in [
        ([p], {"stochastic_rounding": True}, "stochastic_rounding=True does nothing.*choose state_dtype"),
        ([half], {"stochastic_rounding": True}, "is for torch.bfloat16, but a parameter is torch.float16"),
        ([small], {"stochastic_rounding": True, "differentiable": True}, "has no derivative"),
        ([small], {"stochastic_rounding": 1}, "stochastic_rounding must be True or False, got 1"),
        ([p], {"state_dtype": F16}, r"state_dtype must be one of None, .*squares of small gradients.*got torch.float16"),
        ([p], {"state_dtype": "bfloat16"}, "got 'bfloat16'"),
        ([p], {"state_dtype": torch.ones(2)}, "state_dtype must be one of"),
        ([pair], {"state_dtype": BF16}, "has no complex twin for a parameter of torch.complex64"),
    ]:
        with pytest.raises(BadValueError, match=said):
            adam(params, **kwargs)
    adam([p, small], stochastic_rounding=True)
    adam([p], stochastic_rounding=True, state_dtype=BF16)
    assert "state_dtype" in (adam.__doc__ or "")
    assert "torch.manual_seed repeats a run" in (adam.__doc__ or "")


@pytest.mark.parametrize("fault", ["+ 0x7fffU", "bits & 0xffffU", "x *= 0x846ca68bU"])
def test_planted_faults_are_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"+ 0x7fffU": "+ 0x8000U", "bits & 0xffffU": "bits & 0x7fffU", "x *= 0x846ca68bU": "x *= 0x846ca689U"}
    for name in ("CONVERT", "HASH"):
        monkeypatch.setattr(storage, name, getattr(storage, name).replace(fault, wrong[fault]))
    monkeypatch.setitem(fused.tensor_kernel.__globals__, "_made", {})
    test = {
        "+ 0x7fffU": lambda: test_every_16_bit_number_is_read_and_rounded_as_torch_does(BF16),
        "bits & 0xffffU": test_the_mean_is_exact_and_neighbours_are_independent,
        "x *= 0x846ca68bU": test_the_bits_are_those_of_the_definition,
    }[fault]
    with pytest.raises(AssertionError):
        test()
