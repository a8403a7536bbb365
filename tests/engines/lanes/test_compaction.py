"""Lanes that have stopped cost nothing more, and the others do not notice."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import slalom.rules  # noqa: F401
from slalom.core.errors import BadValueError
from slalom.engines.lanes import lanes_of
from tests.engines.lanes.models import Conv, dropping, mlp, normed
from tests.engines.lanes.stack.zoo import LAYERS
from tests.engines.lanes.test_lanes import X, Y, make, some_batches

HEALTHY = [
    *lanes_of("adam", lr=[1e-3, 1e-2], seed=[0, 1]),
    *lanes_of("sgd", lr=[0.02], seed=2, clip=1.0),
    *lanes_of(torch.optim.LBFGS, lr=0.1, max_iter=2, seed=3),
]
MODELS = {"mlp": mlp, "normed": normed, "dropping": dropping, "conv": Conv, "gru": LAYERS["gru, no bias, time first"]}


def rows_run(lanes) -> list[list[int]]:
    """Of each chunk, how many lanes each later step is made for, spare ones apart."""
    return [_blocks_run(chunk) if chunk.blocks else _calls_run(chunk.mechanism) for chunk in lanes._chunks]


def _calls_run(mechanism) -> list[int]:
    gradients, spare, seen = mechanism.gradients, mechanism.spare, []

    def counted(params, *rest):
        if len(params) > 1:  # LBFGS asks again for one lane by itself
            seen.append(len(params) - spare)
        return gradients(params, *rest)

    mechanism.gradients = counted
    return seen


def _blocks_run(chunk) -> list[int]:
    blocks, seen = chunk.blocks.blocks, []
    run = blocks.run

    def counted(given, rows):
        before = rows.live.copy()
        run(given, rows)
        tried = rows.taken + (before != rows.live)
        at = len(seen) if rows.start == 0 else len(seen) - len(given.keys)
        seen.extend([0] * (at + len(given.keys) - len(seen)))
        for k in range(len(given.keys)):
            seen[at + k] += int((tried > k).sum())

    blocks.run = counted
    return seen


@pytest.mark.parametrize("mechanism", ["auto", "vmap", "solo"])
@pytest.mark.parametrize("name", MODELS)
def test_survivors_keep_their_bits_and_the_dead_are_left_out(name: str, mechanism: str) -> None:
    if mechanism != "auto" and name not in ("normed", "gru"):
        pytest.skip("two models suffice")
    if (name, mechanism) == ("gru", "vmap"):
        pytest.skip("vmap has no rule for it")
    doomed = lanes_of("sgd", lr=[1e38] * 5, seed=[5, 6, 7, 8, 9])
    specs = [doomed[0], *HEALTHY[:2], *doomed[1:4], *HEALTHY[2:], doomed[4]]
    keep = [1, 2, 6, 7]
    batches = some_batches(12, lanes=len(specs))
    mixed = make(MODELS[name], specs, torch.float32, chunk=99, mechanism=mechanism)
    order, runs = mixed._chunks[0].numbers, rows_run(mixed)
    losses, norms = mixed.epoch(X, Y, batches)
    assert sorted(mixed.retired) == [0, 3, 4, 5, 8]
    assert order != sorted(order)
    blocks = mixed.choice.name == "native"  # lanes of torch's optimizers then have a chunk of their own
    assert [max(run, default=0) for run in runs] == ([len(specs) - 1, 0] if blocks else [len(specs)])
    assert runs[0][-3:] == ([3, 3, 3] if blocks else [4, 4, 4])
    clean = make(MODELS[name], HEALTHY, torch.float32, mechanism=mechanism)
    loss, norm = clean.epoch(X, Y, [b[keep] for b in batches])
    assert np.array_equal(losses[:, keep], loss)
    assert np.array_equal(norms[:, keep], norm)
    assert torch.equal(mixed.predict(X)[keep], clean.predict(X))
    measure = [torch.nn.functional.cross_entropy]
    assert np.array_equal(mixed.evaluate(X, Y, measure)[:, keep], clean.evaluate(X, Y, measure))
    for k, j in enumerate(keep):
        assert all(torch.equal(v, mixed.weights(j)[key]) for key, v in clean.weights(k).items())


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("model", [normed, LAYERS["gru, no bias, time first"]])
def test_stopped_lanes_keep_what_they_hold_and_a_resumed_run_goes_on(model) -> None:
    specs = lanes_of("adam", lr=[1e-3, 2e-3, 3e-3, 4e-3], seed=[0, 1, 2, 3])
    batches = some_batches(9, lanes=4)
    whole = make(model, specs, torch.float32)
    expected, _ = whole.epoch(X, Y, batches)
    lanes = make(model, specs, torch.float32)
    lanes.epoch(X, Y, batches[:3])
    held = [lanes.weights(k) for k in (0, 2)]
    lanes.stop([0, 2])
    (run,) = rows_run(lanes)
    first, _ = lanes.epoch(X, Y, batches[3:6])
    assert run == [2, 2, 2]
    assert lanes.retired == {}
    again = make(model, specs, torch.float32)
    again.load_state_dict(lanes.state_dict())
    rest, _ = again.epoch(X, Y, batches[6:])
    assert np.array_equal(np.concatenate([first, rest])[:, [1, 3]], expected[3:, [1, 3]])
    assert np.isnan(np.concatenate([first, rest])[:, [0, 2]]).all()
    for k, before in zip((0, 2), held, strict=True):
        assert all(torch.equal(v, again.weights(k)[key]) for key, v in before.items())
    again.stop([1, 3])
    nothing, _ = again.epoch(X, Y, batches[:2])
    assert np.isnan(nothing).all()
    assert again.t == 11


def test_only_lanes_that_are_there_can_be_stopped() -> None:
    with pytest.raises(BadValueError, match=r"lane must be one of 0..3, got 7"):
        make(mlp, HEALTHY).stop([1, 7])
