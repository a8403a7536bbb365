"""Everything that a range test must leave as it was: random states, a loader's generators, and what was handed in."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from slalom.core.errors import BadValueError


def _generators(loader: DataLoader[Any] | None) -> list[torch.Generator]:
    """The generators that the loader and its samplers draw from."""
    if loader is None:
        return []
    owners = [loader, loader.sampler, loader.batch_sampler, getattr(loader.batch_sampler, "sampler", None), loader.dataset]
    found = [getattr(owner, "generator", None) for owner in owners]
    return [g for g in found if isinstance(g, torch.Generator)]


@contextmanager
def random_states_kept(loader: DataLoader[Any] | None = None) -> Iterator[None]:
    """Torch's (every device's), NumPy's and Python's global states and the loader's generators, put back at the end."""
    cpu, python, numpy_state = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    used = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda = torch.cuda.get_rng_state_all() if used else []
    generators = [(g, g.get_state()) for g in _generators(loader)]
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        random.setstate(python)
        np.random.set_state(numpy_state)  # noqa: NPY002
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        for g, state in generators:
            g.set_state(state)


@contextmanager
def handed_in_kept(model: Any, optimizer: Any, step: Any) -> Iterator[None]:
    """The module and the optimizer object, put back if a person's own step worked on them instead of on its arguments."""
    if step is None or not isinstance(model, nn.Module):
        yield  # only copies are trained
        return
    tensors = [*model.parameters(), *model.buffers()]
    values = [t.detach().clone() for t in tensors]
    grads = [None if t.grad is None else t.grad.clone() for t in tensors]
    modes = [(m, m.training) for m in model.modules()]
    state = copy.deepcopy(optimizer.state_dict()) if isinstance(optimizer, torch.optim.Optimizer) else None
    changed = False
    try:
        yield
    finally:
        with torch.no_grad():
            for t, value in zip(tensors, values, strict=True):
                changed |= not torch.equal(t, value) and not bool(torch.isnan(value).any())
                t.copy_(value)
        for t, grad in zip(tensors, grads, strict=True):
            t.grad = grad
        for module, training in modes:
            module.training = training
        if changed and state is not None:
            optimizer.load_state_dict(state)
    if changed:
        raise BadValueError(
            "step trained the module that was handed in, not the copy it was given; it must use its arguments: "
            "step(model, optimizer, batch). Everything has been put back"
        )
