"""Averages and slow weights of tables whose rows lag behind: as if every gradient were dense."""

from __future__ import annotations

import pytest
import torch

import slalom.optim
from slalom.optim import EMA, Lookahead

ROWS = ((0, 3), (1,), (0,), (2, 4), (1, 3), (0,), (4,))


def trained(wrap, sparse):
    torch.manual_seed(0)
    table = torch.nn.Parameter(torch.randn(5, 2, dtype=torch.float64))
    optimizer = slalom.optim.AdamW([table], lr=0.1, sparse=sparse)
    outer = wrap(optimizer)
    steps = outer if isinstance(outer, torch.optim.Optimizer) else optimizer
    for k, rows in enumerate(ROWS):
        grad = torch.zeros(5, 2, dtype=torch.float64)
        grad[list(rows)] = torch.arange(1.0, 2 * len(rows) + 1, dtype=torch.float64).view(-1, 2) + k
        table.grad = grad.to_sparse(1) if sparse else grad
        steps.step()
    optimizer.catch_up()
    with outer.swapped():
        return table.detach().clone()


@pytest.mark.parametrize("wrap", [lambda o: EMA(o, 0.7), lambda o: Lookahead(o, k=3)], ids=["EMA", "Lookahead"])
def test_a_table_that_lags_gives_the_dense_runs_averages(wrap):
    torch.testing.assert_close(trained(wrap, "dense-equivalent"), trained(wrap, None), rtol=1e-12, atol=1e-12)
