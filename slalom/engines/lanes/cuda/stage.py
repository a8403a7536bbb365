"""A CUDA device as lanes use it: current while they run, with a stream beside the current one on which steps are captured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import torch

from slalom.engines.kernels.cuda.gpu import Gpu, gpu


class Stage:
    """One device. The tests put a processor in its place."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.pool = torch.cuda.graph_pool_handle()  # graphs are replayed one after another: they share their memory

    @property
    def gpu(self) -> Gpu:
        """What kernels are compiled and launched by; NoCompilerError without a driver."""
        return gpu(self.device)

    def here(self) -> AbstractContextManager[Any]:
        """Makes this the current device."""
        return torch.cuda.device(self.device)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Work on the stream beside, after all that the current stream was given and before all that it will be."""
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            yield
        current.wait_stream(self.stream)

    def capture(self, call: Callable[[], None]) -> Callable[[], None]:
        """What `call` gives the device, captured and not run: a call of the result runs it. RuntimeError where that cannot be."""
        graph = torch.cuda.CUDAGraph()
        # What other threads do on the device meanwhile (a loader that pins memory) is no part of this.
        with torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"):
            call()
        return graph.replay

    def free(self) -> int:
        """Bytes of the device's memory that nothing holds, torch's own reserve included."""
        reserve = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return int(torch.cuda.mem_get_info(self.device)[0] + reserve)

    def peak(self, call: Callable[[], object]) -> int:
        """Bytes that `call` takes of the device's memory at its height, beyond what was held before."""
        torch.cuda.synchronize(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        call()
        return int(torch.cuda.max_memory_allocated(self.device) - before)


@cache
def stage(device: torch.device) -> Stage:
    """The stage of a device with an index."""
    return Stage(device)
