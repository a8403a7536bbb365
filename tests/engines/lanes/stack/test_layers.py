"""Every kind of layer over lanes, lane by lane against the loop that everybody writes with torch alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import slalom.rules  # noqa: F401
from benchmarks.lane_cases import CASES
from slalom.engines.kernels import NoCompilerError
from slalom.engines.lanes import Lanes, lanes_of
from slalom.engines.lanes.counter import CounterDropout
from slalom.engines.lanes.native import sequences
from tests.engines.lanes.stack.zoo import LAYERS, WITH_DROPOUT
from tests.engines.lanes.test_lanes import X, Y, make, solo_torch, some_batches

ADAM = lanes_of("adam", lr=[1e-3, 1e-2, 3e-3], seed=[0, 1, 2])


@pytest.mark.parametrize("name", LAYERS)
def test_a_lane_is_the_torch_run_alone(name: str) -> None:
    # Named, since on a busy machine the probe may find that so few lanes are quicker one at a time.
    lanes, batches = make(LAYERS[name], ADAM, mechanism="traced"), some_batches(25, lanes=3)
    assert lanes.choice.name == "traced"
    losses, _ = lanes.epoch(X, Y, batches)
    for k, spec in enumerate(ADAM):
        own = [b[k] for b in batches]
        module, alone = solo_torch(LAYERS[name], lambda p, lr=spec.lr: torch.optim.Adam(p, lr=lr), spec.seed, own, torch.float64)
        np.testing.assert_allclose(losses[:, k], alone, rtol=1e-10)
        for key, value in module.state_dict().items():
            torch.testing.assert_close(lanes.weights(k)[key], value, rtol=1e-10, atol=1e-10)
        with torch.no_grad():
            torch.testing.assert_close(lanes.predict(X)[k], module.eval()(X.double()), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_a_lane_of_each_timed_case_is_the_torch_run_alone(name: str) -> None:
    case = CASES[name]
    x, y = case.data(128)
    g = torch.Generator().manual_seed(5)
    batches = [torch.randint(0, 128, (3, 16), generator=g) for _ in range(20)]
    lanes = Lanes(case.model, ADAM, loss="cross_entropy", example=(x[:16], y[:16]), dtype=torch.float64)
    assert lanes.choice.name in ("native", "stacked", "traced")
    losses, _ = lanes.epoch(x, y, batches)
    for k, spec in enumerate(ADAM):
        torch.manual_seed(spec.seed)
        module = case.model().double()
        adam = torch.optim.Adam(module.parameters(), lr=spec.lr)
        for t, b in enumerate(batches):
            loss = torch.nn.functional.cross_entropy(module(x[b[k]].double()), y[b[k]])
            adam.zero_grad()
            loss.backward()
            adam.step()
            assert losses[t, k] == pytest.approx(loss.item(), rel=1e-10)


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_dropout_inside_layers_is_a_lanes_own(name: str) -> None:
    """The masks are those of the model run alone by the engine, whose every other number is torch's."""
    batches = some_batches(12, lanes=3)
    specs = lanes_of("adam", lr=[1e-3, 1e-2, 1e-2], seed=[0, 1, 7])
    runs = {m: make(WITH_DROPOUT[name], specs, mechanism=m) for m in ("auto", "solo")}
    assert runs["auto"].choice.name == "traced"
    losses = {m: lanes.epoch(X, Y, batches)[0] for m, lanes in runs.items()}
    np.testing.assert_allclose(losses["auto"], losses["solo"], rtol=1e-10)
    still = make(WITH_DROPOUT[name], lanes_of("sgd", lr=[0.0, 0.0, 0.0], seed=[4, 4, 5]))
    seen, _ = still.epoch(X, Y, [torch.arange(50)] * 3)
    assert np.array_equal(seen[:, 0], seen[:, 1])
    assert len(set(seen[:, 0])) == 3
    torch.testing.assert_close(runs["auto"].predict(X), runs["solo"].predict(X), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["gru, both ways", "encoder", "conv2d", "batchnorm2d", "own"])
def test_a_lane_has_the_same_bits_in_any_company(name: str) -> None:
    specs = lanes_of("adam", lr=[1e-3, 1e-2, 3e-3, 2e-3, 5e-3], seed=[0, 1, 2, 3, 4])
    batches = some_batches(8, lanes=5)
    together = make(LAYERS[name], specs, torch.float32, mechanism="traced")
    losses, norms = together.epoch(X, Y, batches)
    for chosen in ([3], [4, 1, 0]):
        fewer = make(LAYERS[name], [specs[i] for i in chosen], torch.float32, mechanism="traced")
        loss, norm = fewer.epoch(X, Y, [b[chosen] for b in batches])
        assert np.array_equal(loss, losses[:, chosen])
        assert np.array_equal(norm, norms[:, chosen])


MASK = torch.ones(6, 6, dtype=torch.bool).tril(2)


@pytest.mark.parametrize("given", [{}, {"is_causal": True}, {"attn_mask": MASK}, {"attn_mask": MASK * 0.7}, {"scale": 0.3}])
def test_attention_with_hardly_any_dropout_is_torchs(given: dict) -> None:
    q, k, v = torch.randn(3, 4, 2, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    given = {
        key: value.double() if torch.is_tensor(value) and value.is_floating_point() else value for key, value in given.items()
    }
    with CounterDropout(torch.tensor(3)):
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=1e-12, **given)
    torch.testing.assert_close(out, torch.nn.functional.scaled_dot_product_attention(q, k, v, **given), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("cls", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("batch_first", [True, False])
def test_recurrent_layers_with_hardly_any_dropout_are_torchs(cls: type[nn.Module], batch_first: bool) -> None:
    torch.manual_seed(0)
    module = cls(4, 6, 3, bidirectional=True, dropout=1e-12, batch_first=batch_first).double()
    x = torch.randn(5, 7, 4, dtype=torch.float64)
    h = torch.randn(6, 5 if batch_first else 7, 6, dtype=torch.float64)
    start = (h, h / 2) if cls is nn.LSTM else h
    with CounterDropout(torch.tensor(3)):
        out, ends = module(x, start)
    module.dropout = 0.0
    expected, last = module(x, start)
    torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(ends, last, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("rate", [0.25, 0.5])
def test_attention_dropout_drops_that_share_of_weights(rate: float) -> None:
    """With values that are all one, an output is the sum of the weights that stay, 1 on average."""
    q = torch.randn(200, 2, 6, 4, generator=torch.Generator().manual_seed(0)) * 1e-3  # nearly equal weights
    with CounterDropout(torch.tensor(3)):
        out = torch.nn.functional.scaled_dot_product_attention(q, q, torch.ones_like(q), dropout_p=rate)
    kept = out * (1 - rate) * 6
    assert float(out.mean()) == pytest.approx(1, abs=0.03)
    assert float((kept - kept.round()).abs().max()) < 1e-3
    assert float(kept.var()) == pytest.approx(6 * rate * (1 - rate), rel=0.1)


def test_explain_tells_layer_by_layer() -> None:
    said = make(LAYERS["gru, both ways"], ADAM).explain()
    assert (
        "3 lanes, traced (its own forward over stacked tensors; not run in C: view has no form in C; not stacked: Over has no"
        in said
    )
    assert "GRU: a loop over time steps in C, a lane at a time (body)" in said
    assert "Linear: one batched matrix product (head)" in said
    assert "Conv2d: by the rules of torch.vmap (body.0, body.2)" in make(LAYERS["conv2d"], ADAM).explain()


@pytest.mark.parametrize("name", ["gru, both ways", "gru, no bias, time first", "lstm, last states", "rnn", "encoder"])
def test_without_a_compiler_layers_over_sequences_run_by_torch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_dtype: torch.dtype) -> None:
        raise NoCompilerError("the C compiler 'cc' cannot be run")

    in_c, batches = make(LAYERS[name], ADAM), some_batches(5, lanes=3)
    monkeypatch.setattr(sequences, "sequences", missing)
    by_torch = make(LAYERS[name], ADAM)
    assert "in C," in in_c.explain()
    assert "in C," not in by_torch.explain()
    for a, b in zip(in_c.epoch(X, Y, batches), by_torch.epoch(X, Y, batches), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)
