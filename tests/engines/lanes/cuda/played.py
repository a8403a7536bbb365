"""A CUDA device for lanes, played by the processor: the kernels' own source, and graphs that are recorded and replayed.

A recorded graph is what CUDA's is: calls with fixed memory. Nothing is run while it is recorded (what was written is put back),
a replay runs every operation again into the very memory that it wrote when it was recorded, and what a capture forbids, such as
a number read by the host, fails it. What it cannot show: the real streams, allocator and libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from slalom.engines.kernels.cuda.driver import Driver
from slalom.engines.lanes.cuda.stage import Stage
from tests.engines.kernels.cuda.emulation import Emulated

# What waits for the device, or makes a tensor whose size depends on numbers: not permitted while a stream is captured.
WAITS = {
    torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default, torch.ops.aten.masked_select.default,
    torch.ops.aten.unique_dim.default, torch.ops.aten._unique2.default, torch.ops.aten.equal.default, torch.ops.aten.item.default,
}  # fmt: skip


def tensors(given: Any) -> Iterator[Tensor]:
    if isinstance(given, Tensor):
        yield given
    elif isinstance(given, list | tuple):
        for part in given:
            yield from tensors(part)
    elif isinstance(given, dict):
        yield from tensors(list(given.values()))


class Recording(TorchDispatchMode):
    """The operations while it is active, as calls; `before`: storages that were there and are written into, as they were."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[], Any]] = []
        self.own: dict[int, Any] = {}  # storages made while recording
        self.before: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in WAITS or (func is torch.ops.aten.index.Tensor and any(t.dtype == torch.bool for t in tensors(args[1]))):
            raise RuntimeError(f"operation not permitted when stream is capturing: {func}")
        if func._schema.is_mutable:
            for argument, value in [*zip(func._schema.arguments, args, strict=False), *self._named(func, kwargs)]:
                if argument.alias_info is not None and argument.alias_info.is_write:
                    for t in tensors(value):
                        self._keep(t)
        out = func(*args, **kwargs)
        given = {t.untyped_storage()._cdata for t in tensors([args, kwargs])}
        fresh = [t for t in tensors(out) if t.untyped_storage()._cdata not in given]
        for t in fresh:
            self.own[t.untyped_storage()._cdata] = t.untyped_storage()
        # All is held, as a graph's pool holds it: what is written again is the same memory.
        self.calls.append(lambda: self._again(func, args, kwargs, out, bool(fresh)))
        return out

    @staticmethod
    def _named(func: Any, kwargs: Any) -> list[Any]:
        return [(a, kwargs[a.name]) for a in func._schema.arguments if a.name in kwargs]

    def _keep(self, t: Tensor) -> None:
        key = t.untyped_storage()._cdata
        if key not in self.own and key not in self.before:
            whole = torch.empty(0, dtype=torch.uint8).set_(t.untyped_storage())
            self.before[key] = whole, whole.clone()

    @staticmethod
    def _again(func: Any, args: Any, kwargs: Any, out: Any, fresh: bool) -> None:
        made = func(*args, **kwargs)
        if fresh:
            for old, new in zip(tensors(out), tensors(made), strict=True):
                old.copy_(new)


class Recorded(Driver):
    """The played driver; while a graph is recorded, launches are calls in it."""

    def __init__(self, library: Any) -> None:
        super().__init__(library)
        self.calls: list[Callable[[], Any]] | None = None
        self.library, plain = library, self.launch

        def launch(*given: Any) -> int:
            if self.calls is None:
                return int(plain(*given))
            number = library.emulated_begin()
            code = int(plain(*given))  # its arguments are copied, it is not run
            library.emulated_end()
            self.calls.append(lambda: library.emulated_replay(number))
            return code

        self.launch = launch  # type: ignore[assignment]


class PlayedStage(Stage):
    """`captures`, `replays`, `eager`: how often; `fault`: what the next captures fail with."""

    def __init__(self, emulated: Emulated) -> None:
        self.device = torch.device("cpu")
        self.played = emulated
        self.driver = Recorded(emulated.library)
        emulated.driver = self.driver
        self.captures = self.replays = self.eager = 0
        self.fault: str | None = None
        self.memory = 10**9

    @property
    def gpu(self) -> Emulated:
        return self.played

    def here(self) -> AbstractContextManager[Any]:
        return nullcontext()

    @contextmanager
    def aside(self) -> Iterator[None]:
        self.eager += 1
        yield

    def capture(self, call: Callable[[], None]) -> Callable[[], None]:
        if self.fault is not None:
            raise RuntimeError(self.fault)
        recording = Recording()
        self.driver.calls = recording.calls
        try:
            with recording:
                call()
        finally:
            self.driver.calls = None
            for whole, old in recording.before.values():
                whole.copy_(old)
        self.captures += 1

        def replay() -> None:
            self.replays += 1
            with torch.no_grad():
                for again in recording.calls:
                    again()

        return replay

    def free(self) -> int:
        return self.memory

    def peak(self, call: Callable[[], object]) -> int:
        call()
        return 8 * 1000
