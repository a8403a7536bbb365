"""What the exam's tests share: the two paths, small problems, inputs of a class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from slalom.engines import fused
from slalom.engines.optimizer import RuleOptimizer
from tests.optim.exam.infos import class_of, infos

Make = Callable[[Any], torch.optim.Optimizer]


@contextmanager
def eager_path() -> Iterator[None]:
    """Nothing compiled inside: every parameter is stepped by the rule itself."""
    real = fused.kernel_of
    fused.kernel_of = lambda *a: None
    try:
        yield
    finally:
        fused.kernel_of = real


def has_tables(optimizer: torch.optim.Optimizer) -> bool:
    """Whether compiled code took the last step of some group."""
    return any(plan.tables for plan in optimizer.__dict__.get("_plans", {}).values())


def makers(name: str, *, decay: bool = True) -> list[tuple[str, dict[str, Any]]]:
    """The description and arguments of every input in our record of that class."""
    inputs = [(i.desc, deepcopy(i.kwargs)) for i in infos()[name].optim_inputs_func("cpu")]
    return [(d, k) for d, k in inputs if decay or not k.get("weight_decay")]


def maker(name: str, **kwargs: Any) -> Callable[[Any], RuleOptimizer]:
    """A constructor with these arguments."""
    return lambda params: class_of(name)(params, **deepcopy(kwargs))


def parameters(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float64, seed: int = 0) -> list[nn.Parameter]:
    """Random parameters of these shapes."""
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(s, dtype=dtype, generator=generator)) for s in shapes]


def set_gradients(params: Sequence[torch.Tensor], i: int) -> None:
    """The same gradients for the same i, whoever asks; every second parameter has none in step 1."""
    generator = torch.Generator().manual_seed(100 + i)
    for k, p in enumerate(params):
        g = torch.randn(p.shape, dtype=torch.float64, generator=generator)
        p.grad = None if i == 1 and k % 2 else (g + 0.1 * p.detach()).to(p.dtype)


def stepped(make: Make, params: Sequence[torch.Tensor], steps: int = 5) -> torch.optim.Optimizer:
    """An optimizer of these parameters after some steps."""
    optimizer = make(list(params))
    for i in range(steps):
        set_gradients(params, i)
        optimizer.step()
    return optimizer


def bowl(weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The loss of torch's own exam: a linear map's squared output."""
    x = torch.linspace(-1, 1, weight.shape[1], dtype=weight.dtype)
    return (weight.mv(x) + bias).pow(2).sum()
