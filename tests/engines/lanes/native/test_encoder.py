"""Transformer encoder layers in C against torch's own and their autograd, lane by lane; the rest runs as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

import slalom.rules  # noqa: F401
from slalom.engines.lanes import Lanes, lanes_of
from slalom.engines.lanes.counter import lane_keys
from slalom.engines.lanes.layout import Layout
from slalom.engines.lanes.solo import Solo
from slalom.engines.lanes.stack.traced import Graphs, Traced

Layer = nn.TransformerEncoderLayer


@pytest.fixture(autouse=True)
def _torchs_slow_path() -> Iterator[None]:
    """In evaluation torch's fast path gives NaN for a mask of numbers (torch 2.13)."""
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(True)


class Model(nn.Module):
    """A layer on tokens `[batch, time, width]`; what it gives is flattened: every number of it has a gradient of its own."""

    def __init__(self, layer: Layer, mask: Tensor | None = None, padding: bool = False, **options: bool) -> None:
        super().__init__()
        self.layer, self.mask, self.padding, self.options = layer, mask, padding, options

    def forward(self, x: Tensor) -> Tensor:
        pad = torch.arange(x.shape[1]).expand(x.shape[:2]) > 2 if self.padding else None
        x = x if self.layer.self_attn.batch_first else x.transpose(0, 1)
        mask = self.mask.to(x.dtype) if self.mask is not None and self.mask.is_floating_point() else self.mask
        x = self.layer(x, mask, pad, **self.options)
        return (x if self.layer.self_attn.batch_first else x.transpose(0, 1)).flatten(1)


def causal(time: int) -> Tensor:
    return torch.ones(time, time, dtype=torch.bool).triu(1)


def made(width: int, heads: int, inner: int, dropout: float = 0.0, **options: object) -> Layer:
    return Layer(width, heads, inner, dropout, **{"batch_first": True} | options)  # type: ignore[arg-type]


# Model, and the shape [batch, time, width] of its inputs.
CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "as it comes": (lambda: Model(made(8, 2, 12)), (16, 4, 8)),
    "odd sizes": (lambda: Model(made(15, 3, 7)), (5, 3, 15)),
    "one of each": (lambda: Model(made(3, 1, 1)), (1, 1, 3)),
    "long": (lambda: Model(made(6, 3, 9)), (19, 21, 6)),
    "norms first": (lambda: Model(made(8, 4, 5, norm_first=True)), (7, 5, 8)),
    "time first": (lambda: Model(made(8, 2, 12, batch_first=False)), (9, 4, 8)),
    "no biases": (lambda: Model(made(8, 2, 6, bias=False)), (6, 3, 8)),
    "gelu": (lambda: Model(made(8, 2, 6, activation="gelu")), (6, 3, 8)),
    "silu": (lambda: Model(made(8, 2, 6, activation=nn.SiLU(), norm_first=True)), (6, 3, 8)),
    "another eps": (lambda: Model(made(8, 2, 6, layer_norm_eps=0.1)), (6, 3, 8)),
    "causal mask": (lambda: Model(made(8, 2, 6), causal(5)), (6, 5, 8)),
    "said to be causal": (lambda: Model(made(8, 2, 6), causal(5), is_causal=True), (6, 5, 8)),
    "mask of numbers": (lambda: Model(made(8, 2, 6), torch.linspace(-1, 1, 25).reshape(5, 5)), (6, 5, 8)),
}


def both(model: nn.Module, shape: tuple[int, int, int], per_lane: bool, tolerance: float = 1e-11) -> list[str]:
    """Losses, gradients and outputs of three lanes, traced and each by torch alone; what traced says of its layers."""
    dtype = next(model.parameters()).dtype
    layout, graphs = Layout.of(model), Graphs(model)
    g = torch.Generator().manual_seed(1)
    row = layout.row(model)
    params = row + 0.3 * torch.randn(3, len(row), generator=g, dtype=row.dtype)
    lead = (3, shape[0]) if per_lane else (shape[0],)
    x = torch.randn(*lead, *shape[1:], generator=g, dtype=dtype)
    y = torch.randn(*lead, shape[1] * shape[2], generator=g, dtype=dtype)
    keys = lane_keys([3, 1, 2], 5)
    traced, solo = Traced(graphs, layout, "mse"), Solo(model, layout, "mse")
    for _ in range(2):  # what is left in memory must not matter
        ours = traced.gradients(params, {}, x, y, keys, per_lane)
    theirs = solo.gradients(params, {}, x, y, keys, per_lane)
    scale = float(theirs.grads.abs().max())
    torch.testing.assert_close(ours.loss, theirs.loss, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(ours.grads, theirs.grads, rtol=tolerance, atol=tolerance * scale)
    one = x[0] if per_lane else x
    torch.testing.assert_close(traced.predict(params, {}, one), solo.predict(params, {}, one), rtol=tolerance, atol=tolerance)
    return graphs.lines


@pytest.mark.parametrize("name", CASES)
def test_a_layer_is_torchs(name: str) -> None:
    torch.manual_seed(0)
    model, shape = CASES[name]
    for per_lane in (False, True):
        lines = both(model().double(), shape, per_lane)
        assert lines == ["TransformerEncoderLayer: the whole layer in C, a lane at a time (layer)"]


def test_in_float32() -> None:
    torch.manual_seed(0)
    both(Model(made(12, 3, 20)), (18, 7, 12), True, 2e-4)


SITES = ("self_attn.dropout", "dropout1.p", "dropout.p", "dropout2.p")


@pytest.mark.parametrize("where", [*[(k,) for k in range(4)], (0, 1, 2, 3), (1, 3)])
@pytest.mark.parametrize("options", [{}, {"norm_first": True, "batch_first": False, "activation": "gelu"}])
def test_dropout_is_that_of_the_model_alone(where: tuple[int, ...], options: dict[str, object]) -> None:
    torch.manual_seed(0)
    layer = made(8, 2, 6, **options)  # type: ignore[arg-type]
    for k in where:
        path, _, name = SITES[k].rpartition(".")
        setattr(layer.get_submodule(path), name, 0.2 + 0.1 * k)
    both(nn.Sequential(Model(layer), nn.Dropout(0.3)).double(), (6, 5, 8), True)  # the last: sites go on where the layer stopped


def exchanged(model: Model) -> Model:
    model.layer.norm1 = nn.RMSNorm(8)
    return model


OTHERS: dict[str, Callable[[], nn.Module]] = {
    "a mask of samples": lambda: Model(made(8, 2, 6), padding=True),
    "another norm": lambda: exchanged(Model(made(8, 2, 6))),
    "another activation": lambda: Model(made(8, 2, 6, activation=torch.tanh)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_has_no_form_runs_part_by_part_and_says_so(name: str) -> None:
    torch.manual_seed(0)
    lines = both(OTHERS[name]().double(), (6, 5, 8), True)
    assert not [line for line in lines if "in C" in line]
    assert [line for line in lines if line.startswith("MultiheadAttention: heads of all lanes in one call")]


def test_a_row_that_may_look_at_nothing_is_nan_as_in_torch() -> None:
    torch.manual_seed(0)
    model = Model(made(8, 2, 6), torch.ones(3, 3, dtype=torch.bool)).double()
    layout = Layout.of(model)
    row = layout.row(model).unsqueeze(0)
    out = Traced(Graphs(model), layout, "mse").predict(row, {}, torch.randn(4, 3, 8, dtype=torch.float64))
    assert bool(out.isnan().all())


def test_a_lane_has_the_same_bits_in_any_company() -> None:
    x = torch.randn(40, 4, 8, generator=torch.Generator().manual_seed(1))
    specs = lanes_of("adam", lr=[1e-3, 1e-2, 3e-3, 2e-3], seed=[0, 1, 2, 3])
    batches = [torch.randint(0, 40, (4, 10), generator=torch.Generator().manual_seed(k)) for k in range(4)]

    def run(chosen: list[int]) -> Tensor:
        model = lambda: nn.Sequential(Model(made(8, 2, 12, 0.1)), nn.Linear(32, 3))  # noqa: E731
        y = torch.arange(40) % 3
        lanes = Lanes(model, [specs[k] for k in chosen], loss="cross_entropy", example=(x[:10], y[:10]))
        assert lanes.choice.name == "traced"
        return torch.from_numpy(lanes.epoch(x, y, [b[chosen] for b in batches])[0])

    every = run([0, 1, 2, 3])
    for chosen in ([2], [3, 0]):
        assert torch.equal(run(chosen), every[:, chosen])
