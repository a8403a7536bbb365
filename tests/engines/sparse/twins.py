"""One problem for a sparse run and its dense twin: the same gradients, once as COO and once with their zeros."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import slalom.optim
from slalom.core.rule import Settings
from slalom.engines.optimizer import RuleOptimizer
from slalom.testing.cases import Case, cases

OPTIMIZERS = {c.rule.name: c for n in slalom.optim.__all__ if hasattr(c := getattr(slalom.optim, n), "rule")}
V, W = 9, 3  # rows of the table and their width


def arguments(case: Case) -> dict[str, Any]:
    """The optimizer's arguments for a rule's settings."""
    made: dict[str, Any] = {}
    settings = case.settings
    for a in OPTIMIZERS[case.rule.name]._arguments:
        if a.is_option:
            made[a.name] = settings.options[a.name]
        elif a.names:
            values = tuple(settings.values[n] for n in a.names)
            made[a.name] = values if a.is_tuple else values[0]
    return made


def dense_is_finite(settings: Settings) -> bool:
    """Whether a row without a gradient stays finite in the dense run (a rule whose eps is 0 may make it 0/0)."""
    p, s = torch.ones(2, dtype=torch.float64), settings.init(torch.ones(2, dtype=torch.float64))
    return bool(settings.step(p, torch.zeros_like(p), s, 1)[0].isfinite().all())


def chosen(rule: str, *, every: bool = False) -> list[Case]:
    """Cases of a rule: under each set of options its defaults and all hypers changed; `every`: each hyper alone, too."""
    found = [c for c in cases(OPTIMIZERS[rule].rule) if dense_is_finite(c.settings)]
    return found if every else [c for c in found if len(c.given) != 1 or "convention" in c.given]


def numbers(settings: Settings) -> dict[str, Any]:
    """What a NumPy reference takes besides start, gradient and learning rates."""
    return {k: v for k, v in {**settings.values, **settings.options}.items() if k != "lr"}


def table(dtype: torch.dtype = torch.float64, shape: tuple[int, ...] = (V, W)) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(dtype))


def sparse(rows: Any, values: Any, shape: tuple[int, ...] = (V, W)) -> torch.Tensor:
    rows = torch.as_tensor(rows, dtype=torch.int64)
    return torch.sparse_coo_tensor(rows if rows.dim() == 2 else rows[None], values, shape)


def gradients(steps: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Iterator[torch.Tensor]:
    """COO gradients with repeated rows, none at all now and then; row 0 in every third step, the last two rows never."""
    g = torch.Generator().manual_seed(seed)
    for t in range(steps):
        n = int(torch.randint(0, 5, (1,), generator=g))
        rows = torch.cat([torch.randint(1, V - 2, (n,), generator=g), torch.zeros(int(t % 3 == 1), dtype=torch.int64)])
        yield sparse(rows, torch.randn(len(rows), W, generator=g, dtype=torch.float64).to(dtype))


def schedule(t: int) -> float:
    """A factor on the learning rate that rises, then falls."""
    return float(min(t, 20 - 0.5 * t) / 10)


def run(
    optimizer: RuleOptimizer, p: torch.nn.Parameter, grads: Any, *, dense: bool, change: Callable[[Any, int], None] | None = None
) -> RuleOptimizer:
    """Steps along the gradients, `change(group, t)` before each step; returns the optimizer."""
    for t, g in enumerate(grads, start=1):
        p.grad = g.to_dense() if dense else g
        if change is not None:
            change(optimizer.param_groups[0], t)
        optimizer.step()
    return optimizer


def difference(a: RuleOptimizer, p: torch.Tensor, b: RuleOptimizer, q: torch.Tensor) -> float:
    """The largest difference of parameters and states, relative to their size (at least 1)."""
    assert set(b.state[q]) <= set(a.state[p])
    pairs = [(p, q), *((a.state[p][k], b.state[q][k]) for k in b.state[q])]
    worst = 0.0
    for x, y in pairs:
        x, y = ((torch.view_as_real(z.detach()) if z.is_complex() else z.detach()).double().numpy() for z in (x, y))
        assert x.shape == y.shape
        assert np.isfinite(y).all()
        worst = max(worst, float(np.max(np.abs(x - y) / np.maximum(1, np.abs(y)), initial=0)))
    return worst
