"""A program's compiled CUDA kernels on one device, and a step of them over fixed tensors.

Everything a step needs lies on the device: addresses and sizes are uploaded once, the gradients' addresses when they
change, counts and scalar states stay there, and so may hypers. Nothing waits for the device, so a step can be captured into
a CUDA graph. What a graph then does at every replay: hypers that were numbers stay as they were captured; hypers that were
tensors on the device are read anew, so `group["lr"].fill_(x)`, or a scheduler of torch's, takes effect at the next replay.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slalom.core.errors import SlalomError, StoreError
from slalom.core.rule import Settings
from slalom.engines.kernels import objects
from slalom.engines.kernels.compiler import NoCompilerError
from slalom.engines.kernels.cuda.driver import Launch
from slalom.engines.kernels.cuda.gpu import Gpu
from slalom.engines.kernels.cuda.source import BLOCK, CHUNK, FILL, KERNELS, MOST_SUMS, Words, cuda_source, hypers_type
from slalom.engines.kernels.storage import Storage

_READ = {torch.float32: 0, torch.float64: 1}  # tensors that a kernel reads a hyper from, and whether they are double
_captured: list[Space] = []  # a graph replays with these addresses, and nothing says when it is gone: a few KB a capture


class CaptureError(SlalomError, RuntimeError):
    """A step that cannot be captured into a CUDA graph."""


def refuse_capture(gpu: Gpu) -> None:
    """CaptureError while a graph is captured: compiling, uploading and moving counts are no part of a step to be replayed."""
    if gpu.capturing():
        raise CaptureError(
            "the optimizer's step is to be captured into a CUDA graph, but its parameters or states are not those of a step "
            "before; take one step (on a side stream) before the capture, and keep their memory where it is"
        )


class CudaKernel:
    """The kernels of one program for one way of storing, loaded on one device.

    `states`: the matrices' names in the order of the table; `scalars`: the states that are one number a tensor. Raises
    LanguageError for a rule that does not print as C, NoCompilerError without NVRTC, StoreError for an unsafe store.
    """

    def __init__(self, settings: Settings, storage: Storage, gpu: Gpu) -> None:
        self.source = cuda_source(settings, storage)
        self.storage, self.gpu = storage, gpu
        self.states, self.scalars, self.hypers = self.source.states, self.source.scalars, self.source.hypers
        self.places: dict[str, tuple[str, int]] = {}  # a window is stepped by the rule itself
        try:  # what the host looks at before a step
            self.looks: objects.Looks | None = objects.alone()
        except (NoCompilerError, StoreError):  # it looks more slowly
            self.looks = None
        self.hypers_type = hypers_type(max(1, len(self.hypers)))
        with gpu.current():
            gpu.bind()
            module = gpu.driver.load(gpu.image(self.source.text))
            self.functions = {name: gpu.driver.function(module, name) for name in KERNELS}

    def launch(self, name: str, arguments: Sequence[Any]) -> Launch:
        """A launch of one of the kernels with these arguments."""
        return Launch(self.gpu.driver, self.functions[name], BLOCK, arguments, self.gpu.bind)


_made: dict[tuple[Any, ...], CudaKernel] = {}


def cuda_kernel(settings: Settings, storage: Storage, gpu: Gpu) -> CudaKernel:
    """The kernel of these settings' program, made once a process and device."""
    key = (settings.rule, settings.program, storage, gpu.device)
    if key not in _made:
        _made[key] = CudaKernel(settings, storage, gpu)
    return _made[key]


class Layout:
    """Where the tensors of a table lie, on the device: addresses, sizes, chunks; it never changes."""

    def __init__(
        self, kernel: CudaKernel, table: NDArray[np.int64], numbers: NDArray[np.int64], wide: NDArray[np.uint8],
        sizes: NDArray[np.int64], streams: NDArray[np.uint64],
    ) -> None:  # fmt: skip
        refuse_capture(kernel.gpu)
        self.n = sizes.size
        chunks = -(-sizes // CHUNK)
        which = np.repeat(np.arange(self.n, dtype=np.int32), chunks)
        first = np.repeat(np.cumsum(chunks) - chunks, chunks)
        begin = (np.arange(which.size, dtype=np.int64) - first) * CHUNK
        self.chunks = which.size
        self.tensors = [torch.from_numpy(np.ascontiguousarray(x)).to(kernel.gpu.device) for x in
                        (table, numbers, wide, sizes, which, begin, streams.view(np.int64))]  # fmt: skip
        at = [x.data_ptr() for x in self.tensors]
        self.table, self.numbers, self.wide, self.sizes, self.which, self.begin, self.streams = at


class Space:
    """What a step writes on its way, and its launches: one for eager steps, and one for each graph that captures one."""

    def __init__(self, kernel: CudaKernel, layout: Layout) -> None:
        n, where = layout.n, kernel.gpu.device
        grads = torch.empty(n, dtype=torch.int64, device=where)
        coefficients = torch.empty(n * kernel.source.coefficients, dtype=kernel.source.compute, device=where)
        info = torch.zeros(2, dtype=torch.float64, device=where)
        self.tensors = [grads, coefficients, info]
        self.layout = layout  # whose memory a graph goes on reading
        self.info: torch.Tensor = info
        self.grads = grads.data_ptr()
        self.filled = np.full(n, -1, np.int64)  # the gradients' addresses on the device, as far as is known
        self.held: list[torch.Tensor] = []  # what the last step read
        at, number, real = ctypes.c_uint64, ctypes.c_int, ctypes.c_double
        self.hypers = kernel.hypers_type()
        self.words = Words()
        self.fill = kernel.launch("slalom_fill", [at(), number(), self.words])
        chunks = [number(layout.chunks), *map(at, (layout.which, layout.begin, layout.sizes, self.grads))]
        self.squares = kernel.launch("slalom_squares", [*chunks, at()])
        self.prepare = kernel.launch("slalom_prepare", [
            number(n), at(layout.numbers), at(layout.wide), self.hypers, real(), at(), at(), number(), at(), real(),
            at(coefficients.data_ptr()), at(info.data_ptr()),
        ])  # fmt: skip
        self.step = kernel.launch("slalom_step", [
            number(n), at(layout.which), at(layout.begin), at(layout.sizes), at(layout.table), at(self.grads),
            at(layout.numbers), at(layout.wide), at(layout.streams), at(coefficients.data_ptr()), at(info.data_ptr()), at(),
        ])  # fmt: skip


class CudaStep:
    """A step of one kernel over fixed tensors.

    `table`: addresses [1 + states, n] of p and the states; `numbers`: [1 + scalars, n] of the counts (of steps taken) and
    scalar states, each a float32 or, where `wide`, a float64 on the device; `sizes`: elements [n]; `streams`: where the
    random bits of stochastic rounding come from [n] (`slalom.engines.rounding`).
    """

    def __init__(
        self, kernel: CudaKernel, table: NDArray[np.int64], numbers: NDArray[np.int64], wide: NDArray[np.uint8],
        sizes: NDArray[np.int64], streams: NDArray[np.uint64] | None = None,
    ) -> None:  # fmt: skip
        self.kernel = kernel
        streams = np.zeros(sizes.size, np.uint64) if streams is None else streams
        self._layout = Layout(kernel, table, numbers, wide, sizes, streams)
        self._eager = Space(kernel, self._layout)
        self._capture: Space | None = None
        self._stream = kernel.gpu.stream()
        self.sums = min(MOST_SUMS, self._layout.chunks)  # how many numbers `squares` writes

    def squares(self, gradients: NDArray[np.int64], out: torch.Tensor) -> None:
        """Writes sums of the squared gradients, whose total is theirs, to `out` (float64 [sums], on the device)."""
        with self.kernel.gpu.current():
            stream = self.kernel.gpu.stream()
            space = self._space(gradients, stream)
            space.held.append(out)
            space.squares.arguments[-1].value = out.data_ptr()
            if self.sums:
                space.squares(self.sums, stream)

    def run(
        self, gradients: NDArray[np.int64], hypers: Mapping[str, Any], sign: float, *, grad_scale: torch.Tensor | None = None,
        found_inf: torch.Tensor | None = None, sums: torch.Tensor | None = None, clip: float = float("inf"),
    ) -> torch.Tensor:  # fmt: skip
        """One step; gradients are multiplied by `sign`, divided by `grad_scale`, and clipped to the norm `clip`.

        `hypers`: numbers, or tensors of one element on the device. `grad_scale`, `found_inf`: float32 on the device, as
        GradScaler's; where `found_inf` is not 0, nothing changes, counts included. `sums`: what `squares` wrote, of all
        tensors that are clipped together. Returns, on the device, `[factor on the gradients, norm before clipping]`.
        """
        kernel, gpu = self.kernel, self.kernel.gpu
        with gpu.current():
            stream = gpu.stream()
            space = self._capture if self._capture is not None and gpu.capturing() else self._space(gradients, stream)
            self._capture = None
            held = [x for x in (grad_scale, found_inf, sums) if x is not None]
            for k, name in enumerate(kernel.hypers):
                value = hypers[name]
                if isinstance(value, torch.Tensor) and value.device == gpu.device:
                    value = value.detach() if value.dtype in _READ else value.detach().double()
                    held.append(value)
                    space.hypers.at[k], space.hypers.wide[k] = value.data_ptr(), _READ[value.dtype]
                else:
                    value = float(value.detach()) if isinstance(value, torch.Tensor) else value
                    space.hypers.value[k], space.hypers.at[k] = value, 0
            space.held = [*space.held, *held] if gpu.capturing() else held
            told = space.prepare.arguments
            told[4].value = sign
            told[5].value = 0 if grad_scale is None else grad_scale.data_ptr()
            told[6].value = space.step.arguments[-1].value = 0 if found_inf is None else found_inf.data_ptr()
            told[7].value, told[8].value = (0, 0) if sums is None else (sums.numel(), sums.data_ptr())
            told[9].value = clip
            space.prepare(-(-self._layout.n // BLOCK), stream)
            if self._layout.chunks:
                space.step(self._layout.chunks, stream)
        return space.info

    def _space(self, gradients: NDArray[np.int64], stream: int) -> Space:
        """The space of this step, the gradients' addresses in it."""
        gpu = self.kernel.gpu
        space = self._eager
        if gpu.capturing():
            # An address that a graph writes is not known to be there before a replay, nor after one: each has its own.
            space = self._capture = Space(self.kernel, self._layout)
            _captured.append(space)
        else:
            self._capture = None
            if stream != self._stream:
                for tensor in (*self._layout.tensors, *space.tensors):
                    gpu.share(tensor)
                self._stream = stream
        if not np.array_equal(space.filled, gradients):
            space.filled[:] = gradients
            for begin in range(0, gradients.size, FILL):
                some = space.filled[begin : begin + FILL]
                ctypes.memmove(ctypes.addressof(space.words), some.ctypes.data, some.nbytes)
                space.fill.arguments[0].value = space.grads + 8 * begin
                space.fill.arguments[1].value = some.size
                space.fill(1, stream)
        return space
