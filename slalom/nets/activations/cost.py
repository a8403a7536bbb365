"""What activations cost on this machine, forward and backward, relative to ReLU."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch
from torch import nn


def relative_cost(modules: Mapping[str, nn.Module], elements: int = 262_144, repeats: int = 9) -> dict[str, float]:
    """Least time of forward and backward of each module on one thread, divided by ReLU's, over `repeats` interleaved rounds.

    The process's own time is taken, which other work on the machine disturbs least.

    >>> costs = relative_cost({"relu": nn.ReLU(), "tanh": nn.Tanh()}, elements=64, repeats=1)
    >>> sorted(costs)
    ['relu', 'tanh']
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(max(elements // 64, 1), 64, generator=generator).requires_grad_()
    up = torch.ones_like(x)
    every = {"": nn.ReLU(), **modules}
    times: dict[str, list[float]] = {name: [] for name in every}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that wait for one another would be most of what is measured on a busy machine
    try:
        for _ in range(repeats):
            for name, module in every.items():
                begin = time.process_time()
                module(x).backward(up)
                times[name].append(time.process_time() - begin)
                x.grad = None
    finally:
        torch.set_num_threads(threads)
    least = {name: min(seen) for name, seen in times.items()}
    return {name: least[name] / least[""] for name in modules}
