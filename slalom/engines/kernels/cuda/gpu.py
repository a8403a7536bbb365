"""What a step needs of a GPU: machine code for it, its current stream, whether that stream is being captured."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import torch

from slalom.engines.kernels.cuda import store
from slalom.engines.kernels.cuda.driver import Driver, driver
from slalom.engines.kernels.cuda.nvrtc import OPTIONS, nvrtc


class Gpu:
    """One of torch's CUDA devices. The tests put a processor that plays the device in its place."""

    def __init__(self, device: torch.device, run: Driver) -> None:
        self.device = device
        self.driver = run

    def image(self, source: str) -> bytes:
        """The source compiled for this device, from the store where it is known."""
        compiler = nvrtc()
        target = compiler.target(torch.cuda.get_device_capability(self.device))
        told = (source, target, *OPTIONS, *map(str, compiler.version))
        return store.image(told, lambda: compiler.compile(source, target))

    def stream(self) -> int:
        """The handle of torch's current stream on this device."""
        handle: int = torch.cuda.current_stream(self.device).cuda_stream
        return handle

    def capturing(self) -> bool:
        """Whether the current stream is being captured into a graph."""
        return bool(torch.cuda.is_current_stream_capturing())

    def current(self) -> AbstractContextManager[Any]:
        """Makes this the current device, and its context the driver's."""
        return torch.cuda.device(self.device)

    def bind(self) -> None:
        """Makes the device's context the driver's in this thread, as torch's first operation in it does."""
        torch.zeros(1, device=self.device)

    def share(self, tensor: torch.Tensor) -> None:
        """Notes that the current stream uses the tensor's memory, so that it is not given to another stream too early."""
        tensor.record_stream(torch.cuda.current_stream(self.device))


@cache
def gpu(device: torch.device) -> Gpu:
    """The GPU behind a torch device with an index; NoCompilerError where its driver's library cannot be loaded."""
    return Gpu(device, driver())
