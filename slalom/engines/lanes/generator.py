"""Torch's global generator, borrowed: seeded for one piece of work, given back as it was, by one thread at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

_one_at_a_time = threading.RLock()


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """`torch.manual_seed(seed)` inside, the state from before afterwards; that of every CUDA device too, once CUDA is in use."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    with _one_at_a_time, torch.random.fork_rng(devices=list(devices)):
        if torch.accelerator.is_available():
            torch.manual_seed(seed)
        else:  # the same without noting down, for each kind of accelerator that may yet come up, who asked (1 ms)
            torch.default_generator.manual_seed(seed)
        yield
