"""Every layer that is written in C against torch's own autograd, lane by lane."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import slalom.rules  # noqa: F401
from slalom.core.errors import BadValueError
from slalom.engines.lanes import Lanes, lanes_of
from slalom.engines.lanes.choose import why_not_native
from slalom.engines.lanes.counter import lane_keys
from slalom.engines.lanes.layout import Layout, beside
from slalom.engines.lanes.native import Native
from slalom.engines.lanes.native.layers import ELEMENTWISE, FUNCTIONS
from slalom.engines.lanes.solo import Solo

FLAT = {
    "linear": lambda: nn.Sequential(nn.Linear(7, 5), nn.Linear(5, 3, bias=False), nn.Linear(3, 4)),
    "one layer": lambda: nn.Linear(7, 4),
    "wide": lambda: nn.Sequential(nn.Linear(7, 45), nn.ReLU(), nn.Linear(45, 37), nn.ReLU(), nn.Linear(37, 4)),
    "weights turned": lambda: nn.Sequential(nn.Linear(7, 150), nn.Tanh(), nn.Linear(150, 131), nn.Linear(131, 4)),
    "norm": lambda: nn.Sequential(nn.Linear(7, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 4)),
    "bare norm": lambda: nn.Sequential(nn.BatchNorm1d(7, affine=False, momentum=0.3), nn.Linear(7, 4)),
    "layer norm": lambda: nn.Sequential(
        nn.LayerNorm(7), nn.Linear(7, 6), nn.LayerNorm(6, elementwise_affine=False), nn.Linear(6, 4)
    ),
    "prelu": lambda: nn.Sequential(nn.PReLU(7), nn.Linear(7, 6), nn.PReLU(), nn.Linear(6, 4)),
    "dropout": lambda: nn.Sequential(
        nn.Dropout(0.3), nn.Linear(7, 12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, 4), nn.Dropout(0.0)
    ),
    "activation first": lambda: nn.Sequential(nn.Tanh(), nn.ReLU(), nn.Linear(7, 4), nn.Sigmoid()),
    "falling": lambda: nn.Sequential(nn.Linear(7, 6), nn.LeakyReLU(-0.5), nn.ELU(-0.7), nn.Linear(6, 4)),
}  # fmt: skip
chain = nn.Sequential


def head(features: int) -> tuple[nn.Module, nn.Module]:
    return nn.Flatten(), nn.Linear(features, 4)


PICTURES = {
    "conv": lambda: chain(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), *head(90)),
    "strides": lambda: chain(nn.Conv2d(2, 5, (2, 3), stride=(2, 1), padding=(1, 0), bias=False), *head(60)),
    "max pool": lambda: chain(nn.Conv2d(2, 3, 3, padding=1), nn.MaxPool2d(2), nn.Tanh(), *head(18)),
    "overlapping": lambda: chain(nn.MaxPool2d(3, 1, 1), nn.Conv2d(2, 3, 1), nn.MaxPool2d((2, 3), (1, 2)), *head(24)),
    "mean pool": lambda: chain(nn.AvgPool2d(2, 1), nn.Conv2d(2, 3, 2), nn.AdaptiveAvgPool2d(1), *head(3)),
    "normed": lambda: chain(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.PReLU(3), nn.Dropout2d(0.3), *head(36)),
    "unflatten": lambda: chain(nn.Flatten(), nn.Unflatten(1, (4, 3, 5)), nn.Conv2d(4, 3, 2), *head(24)),
}  # fmt: skip


class Forward(nn.Module):
    """A forward that is a chain, but not a Sequential."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3))
        self.head = nn.Linear(18, 4)
        self.drop = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.drop(torch.flatten(F.max_pool2d(F.relu(self.inner(x)), 2), 1)))


PICTURES["its own forward"] = Forward


def both(model: nn.Module, x: Tensor, y: Tensor, loss: str, per_lane: bool) -> None:
    """Native against Solo: losses, gradients, buffers and outputs of three lanes."""
    layout = Layout.of(model)
    g = torch.Generator().manual_seed(1)
    row = layout.row(model)
    params = row + 0.3 * torch.randn(3, len(row), generator=g, dtype=row.dtype)
    buffers = {k: torch.stack([v, v + 1, v + 2]) for k, v in beside(model).items()}
    keys = lane_keys([3, 1, 2], 5)
    native, solo = Native(model, layout, loss), Solo(model, layout, loss)
    tolerance = 1e-11 if row.dtype == torch.float64 else 2e-4
    for _ in range(2):  # what is left in memory must not matter
        ours = native.gradients(params, dict(buffers), x, y, keys, per_lane)
    theirs = solo.gradients(params, buffers, x, y, keys, per_lane)
    torch.testing.assert_close(ours.loss, theirs.loss, rtol=tolerance, atol=tolerance)
    scale = float(theirs.grads.abs().max())
    torch.testing.assert_close(ours.grads, theirs.grads, rtol=tolerance, atol=tolerance * scale)
    for k, v in theirs.buffers.items():
        torch.testing.assert_close(ours.buffers[k], v, rtol=tolerance, atol=tolerance)
    one = x[0] if per_lane else x
    torch.testing.assert_close(
        native.predict(params, buffers, one), solo.predict(params, buffers, one), rtol=tolerance, atol=tolerance
    )


def some(shape: tuple[int, ...], batch: int, per_lane: bool, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(batch)
    lead = (3, batch) if per_lane else (batch,)
    x = torch.randn(*lead, *shape, generator=g, dtype=dtype)
    return x, torch.randint(0, 4, lead, generator=g), torch.randn(*lead, 4, generator=g, dtype=dtype)


@pytest.mark.parametrize("name", [*FLAT, *PICTURES])
@pytest.mark.parametrize(("batch", "per_lane"), [(2, False), (5, True), (17, False), (32, True)])
def test_a_layer_is_torchs(name: str, batch: int, per_lane: bool) -> None:
    torch.manual_seed(0)
    model, shape = (FLAT[name], (7,)) if name in FLAT else (PICTURES[name], (2, 5, 6))
    x, classes, numbers = some(shape, batch, per_lane)
    both(model().double(), x, classes, "cross_entropy", per_lane)
    both(model().double(), x, numbers, "mse", per_lane)


@pytest.mark.parametrize("name", ["wide", "norm", "normed"])
def test_in_float32(name: str) -> None:
    torch.manual_seed(0)
    model, shape = (FLAT[name], (7,)) if name in FLAT else (PICTURES[name], (2, 5, 6))
    x, classes, _ = some(shape, 19, False, torch.float32)
    both(model(), x, classes, "cross_entropy", False)


@pytest.mark.parametrize("kind", [*ELEMENTWISE, lambda: nn.GELU(approximate="tanh"), lambda: nn.Softplus(2.0, 5.0)])
def test_a_function_is_torchs_far_out_too(kind) -> None:
    module = kind()
    inside = torch.cat([torch.linspace(-8, 8, 401), torch.tensor([0.0, 1e-9, -1e-9, -30, 30, -110, 110, 700, -700])])
    for dtype, tolerance in ((torch.float64, 3e-15), (torch.float32, 1e-6)):
        model = nn.Sequential(nn.Linear(1, 1), kind()).to(dtype)
        x = inside.to(dtype)
        x.requires_grad_()
        expected = module.to(dtype)(x)
        (slope,) = torch.autograd.grad(expected.sum(), x)
        layout = Layout.of(model)
        native = Native(model, layout, "mse")
        params = torch.tensor([[1.0, 0.0]], dtype=dtype)
        out = native.predict(params, {}, x.detach().unsqueeze(1))[0, :, 0]
        torch.testing.assert_close(out, expected.detach(), rtol=tolerance, atol=tolerance)
        # With the bias as the place and one sample at a time, its gradient is 2 (f - y) f'; y = f - 1/2 leaves f'.
        one = torch.stack([torch.ones_like(x.detach()), x.detach()], 1)
        made = native.gradients(
            one, {}, torch.zeros(len(x), 1, 1, dtype=dtype), (expected.detach() - 0.5)[:, None, None], torch.zeros(len(x)), True
        )
        kept = (expected.detach().abs() < 1e3) & (x.detach().abs() > 0)  # far out f - 1/2 is lost, at 0 slopes are a convention
        torch.testing.assert_close(made.grads[kept, 1], slope[kept], rtol=2e3 * tolerance, atol=2e3 * tolerance)


def test_all_functions_are_reached() -> None:
    made = {ELEMENTWISE[kind](kind())[0] for kind in ELEMENTWISE} | {ELEMENTWISE[nn.GELU](nn.GELU(approximate="tanh"))[0]}
    assert made == set(FUNCTIONS)


@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_nan_and_infinity_go_through(kind) -> None:
    model = nn.Sequential(nn.Linear(2, 3), kind(), nn.Linear(3, 4))
    layout = Layout.of(model)
    params = layout.row(model).repeat(3, 1)
    params[1, 0] = float("nan")
    params[2] *= 1e30
    x, y = torch.full((4, 2), 1e10), torch.zeros(4, dtype=torch.int64)
    loss, grads, _ = Native(model, layout, "cross_entropy").gradients(params, {}, x, y, torch.zeros(3), False)
    assert torch.isfinite(loss[0])
    assert torch.isnan(loss[1])
    assert not torch.isfinite(grads[1]).all()
    alone = Solo(model, layout, "cross_entropy").gradients(params, {}, x, y, torch.zeros(3), False)
    assert torch.equal(torch.isfinite(loss), torch.isfinite(alone.loss))


def test_ignored_targets_and_wrong_ones() -> None:
    model = nn.Linear(7, 4)
    x, y, _ = some((7,), 6, False, torch.float32)
    y[2] = -100
    native = Native(model, Layout.of(model), "cross_entropy")
    row = Layout.of(model).row(model).unsqueeze(0)
    loss, grads, _ = native.gradients(row, {}, x, y, torch.zeros(1), False)
    p = row[0].clone().requires_grad_()
    expected = F.cross_entropy(F.linear(x, p[:28].view(4, 7), p[28:]), y, reduction="sum") / 6
    torch.testing.assert_close(loss[0], expected.detach())
    torch.testing.assert_close(grads[0], torch.autograd.grad(expected, p)[0])
    for wrong in (4, -1):
        y[0] = wrong
        with pytest.raises(BadValueError, match=rf"targets must be classes 0\.\.3, got {'4' if wrong == 4 else '-'}"):
            native.gradients(row, {}, x, y, torch.zeros(1), False)


def frozen() -> nn.Module:
    model = nn.Sequential(nn.Linear(7, 4), nn.Linear(4, 4))
    model[0].weight.requires_grad_(False)
    return model


def hooked() -> nn.Module:
    model = nn.Linear(7, 4)
    model.register_forward_hook(lambda m, x, y: y * 2)
    return model


def twice() -> nn.Module:
    layer = nn.Linear(7, 7)
    return nn.Sequential(layer, layer, nn.Linear(7, 4))


class Written(nn.Module):
    def __init__(self, forward) -> None:
        super().__init__()
        self.fc, self.head, self.count, self.run = nn.Linear(7, 7), nn.Linear(7, 4), 0, forward

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def counts(m: Written, x: Tensor) -> Tensor:
    m.count += 1
    return m.head(m.fc(x))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (frozen, "0.weight is frozen"),
        (hooked, "Linear has hooks"),
        (twice, "shared between modules"),
        (lambda: nn.Sequential(nn.Linear(7, 4), nn.Softmax(1)), "Softmax has no form in C"),
        (lambda: Written(lambda m, x: m.head(m.fc(x)) + 1), "no form in C"),
        (lambda: Written(lambda m, x: m.head(x + m.fc(x))), "no chain"),
        (lambda: Written(lambda m, x: m.head(m.fc(x) if m.training else x)), "differs between training and evaluation"),
        (lambda: Written(lambda m, x: m.head(m.fc(x)) if x.sum() > 0 else m.head(x)), "cannot be traced"),
        (lambda: Written(lambda m, x: m.head(x)), "parameters that its forward does not use"),
        (lambda: Written(counts), "its forward changes count"),
        (lambda: nn.Sequential(nn.Linear(7, 2**16), nn.Linear(2**16, 4)), "a layer of 458752 weights is as fast through BLAS"),
        (lambda: nn.Sequential(nn.BatchNorm1d(7, momentum=None), nn.Linear(7, 4)), "cumulative average"),
    ],
)
def test_what_it_is_not_written_for_is_left_to_others(make, reason: str) -> None:
    model = make()
    x, y, _ = some((7,), 6, False, torch.float32)
    assert reason in str(why_not_native(model, Layout.of(model), "cross_entropy", x))
    lanes = Lanes(make, lanes_of("sgd", lr=[0.1, 0.2]), loss="cross_entropy", example=(x, y))
    assert lanes.choice.name != "native"
    assert np.isfinite(lanes.step(x, y)[0]).all()


def test_without_a_compiler_the_stacked_way_runs(monkeypatch) -> None:
    from slalom.engines.kernels import NoCompilerError
    from slalom.engines.lanes.native import chain as module

    def missing(*_: object) -> None:
        raise NoCompilerError("the C compiler 'cc' cannot be run")

    monkeypatch.setattr(module, "_library", missing)
    x, y, _ = some((7,), 6, False, torch.float32)
    lanes = Lanes(FLAT["linear"], lanes_of("sgd", lr=[0.1, 0.2]), loss="cross_entropy", example=(x, y))
    assert lanes.choice.name == "stacked"
    assert "cannot be run" in lanes.explain()
