"""Whatever was handed in is bit-identical afterwards."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn

import slalom
from slalom.core.errors import BadValueError
from tests.race.range.problems import loader, net

SHORT = {"lanes": {"budget": 300}, "sweep": {"steps": 20}, "epochs": {"steps": 4}}


def usual_step(model, optimizer, batch):
    x, y = batch
    x = x + 0.01 * torch.randn_like(x) + float(np.random.rand()) * 1e-3 + random.random() * 1e-3  # noqa: NPY002
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def trained():
    torch.manual_seed(1)
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for batch in loader():
        usual_step(model, optimizer, batch)
    return model, optimizer


def flat(value):
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {k: flat(v) for k, v in value.items()}
    return [flat(v) for v in value] if isinstance(value, list | tuple) else value


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def world(model, optimizer, batches):
    grads = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    numpy_state = [v.tolist() if hasattr(v, "tolist") else v for v in np.random.get_state()]  # noqa: NPY002
    generators = [g.get_state() for g in (batches.generator, batches.sampler.generator) if g is not None]
    torch_state = [model.state_dict(), grads, model.training, optimizer.state_dict(), torch.get_rng_state(), generators]
    return [*flat(torch_state), numpy_state, random.getstate()]


@pytest.mark.parametrize("method", SHORT)
@pytest.mark.parametrize("how", ["rule", "class", "object", "step"])
def test_model_optimizer_random_states_and_order(method, how):
    model, optimizer = trained()
    model.eval()
    batches = loader()
    if how == "object":
        batches = torch.utils.data.DataLoader(batches.dataset, 16, shuffle=True, generator=torch.Generator().manual_seed(8))
    options = {
        "rule": {"optimizer": "adam"}, "class": {"optimizer": torch.optim.SGD}, "object": {"optimizer": optimizer},
        "step": {"optimizer": optimizer, "step": usual_step},
    }[how]  # fmt: skip
    before = world(model, optimizer, batches)
    ahead = copy.deepcopy(batches.generator)
    state = torch.get_rng_state()
    if ahead is None:
        order = [y.tolist() for _, y in batches]
    else:
        order = [y.tolist() for _, y in torch.utils.data.DataLoader(batches.dataset, 16, shuffle=True, generator=ahead)]
    torch.set_rng_state(state)
    result = slalom.range_test(model, batches, method=method, **SHORT[method], **options)
    assert result.cost > 0
    assert same(before, world(model, optimizer, batches))
    assert [y.tolist() for _, y in batches] == order


def test_a_step_that_trains_what_was_handed_in_is_told_and_undone():
    model, optimizer = trained()
    before = world(model, optimizer, loader())
    with pytest.raises(BadValueError, match="not the copy it was given"):
        slalom.range_test(
            model, loader(), optimizer=optimizer, method="sweep", steps=10,
            step=lambda _model, _optimizer, batch: usual_step(model, optimizer, batch),
        )  # fmt: skip
    assert same(before, world(model, optimizer, loader()))


def test_also_after_an_error():
    model, optimizer = trained()
    batches = loader()
    before = world(model, optimizer, batches)

    def fails(model, optimizer, batch):
        raise RuntimeError("of the step")

    with pytest.raises(RuntimeError, match="of the step"):
        slalom.range_test(model, batches, optimizer=optimizer, step=fails)
    assert same(before, world(model, optimizer, batches))
