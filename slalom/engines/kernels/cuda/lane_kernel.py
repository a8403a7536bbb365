"""A program's compiled step on rows of matrices that lie on a CUDA device.

    kernel = lane_kernels([settings, ...], torch.float32, gpu(torch.device("cuda", 0)))[0]   # NoCompilerError without NVRTC
    report = kernel.step(P, G, states, rows, coefficients, clip=None, skip=None)              # as the processor's; waits
    rows = kernel.rows(P, states, ...); rows.launch(grads, loss)                              # three launches, nothing waits

Coefficients are computed on the host by the same tape as for the processor, so lanes need no C compiler here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slalom.core.errors import BadValueError
from slalom.core.rule import Settings
from slalom.engines.kernels.cuda.driver import Launch
from slalom.engines.kernels.cuda.gpu import Gpu
from slalom.engines.kernels.cuda.lane_source import LANE_KERNELS, lane_source, rows_type
from slalom.engines.kernels.cuda.prelude import BLOCK, CHUNK
from slalom.engines.kernels.kernel import Array, Kernel
from slalom.engines.kernels.report import StepReport


class LaneKernel:
    """The kernels of one program for one dtype, loaded on one device; see the module, and `Kernel` for `coefficients`.

    Raises LanguageError for a rule that does not print as C, NoCompilerError without NVRTC, StoreError for an unsafe store.
    """

    compiled = True

    def __init__(self, settings: Settings, dtype: torch.dtype, gpu: Gpu) -> None:
        self.settings, self.dtype, self.gpu = settings, dtype, gpu
        self._host = Kernel(settings, dtype)  # never compiled: its tape alone is used
        self.element_states, self.scalar_states = self._host.element_states, self._host.scalar_states
        self.coefficients = self._host.coefficients
        self.source = lane_source(settings, dtype)
        self.used, self.width = self.source.states, self.source.coefficients
        self.type = rows_type(max(1, len(self.used)))
        with gpu.current():
            gpu.bind()
            module = gpu.driver.load(gpu.image(self.source.text))
            self.functions = [gpu.driver.function(module, name) for name in LANE_KERNELS]

    def rows(
        self, p: Tensor, states: Mapping[str, Tensor], which: Tensor, live: Tensor, clip: Tensor | None, **told: Any
    ) -> Rows:
        """Launches over fixed tensors; see `Rows`."""
        return Rows(self, p, states, which, live, clip, **told)

    def step(
        self, P: Tensor, G: Tensor, states: Mapping[str, Tensor], rows: Any, coefficients: Array, *, clip: Any = None,
        skip: Any = None, threads: int | None = None,
    ) -> StepReport:  # fmt: skip
        """Steps these rows once, as `Kernel.step`, with arrays of the host; waits for the device."""
        n, at = len(P), np.ascontiguousarray(rows, np.int64)

        def each(fill: float, given: Any, dtype: Any, *more: int) -> Tensor:
            """One value or row for each lane, on the device."""
            made = np.full((n, *more), fill, dtype)
            made[at] = given
            return torch.from_numpy(made).to(P.device)

        which = torch.from_numpy(at).to(P.device)
        live = each(1, True if skip is None else np.asarray(skip) == 0, np.bool_)
        limits = None if clip is None else each(np.inf, clip, np.float64)
        table = each(0, coefficients, np.float64, self.width)
        made = self.rows(P, states, which, live, limits, coefficients=table, place=None, first=0, start=0)
        made.launch(G.index_select(0, which), None)
        return StepReport(made.squares.cpu().numpy(), made.status.cpu().numpy())


class Rows:
    """Steps rows of `p [lanes, D]`: those that `which` names, whose gradients follow one another.

    `states` `[lanes of the rule, D]`, the first of them lane `start`; `coefficients [steps, lanes of the rule, ...]`, read at the
    step that lies at `place` (None: the first); `live [lanes]` (bool) and `clip [lanes]` (None: no limits). `first`: which row of
    the gradients, losses and reports is that of `which[first]`; `count`: rows. `squares` and `status` are told of each row.
    """

    def __init__(
        self, kernel: LaneKernel, p: Tensor, states: Mapping[str, Tensor], which: Tensor, live: Tensor, clip: Tensor | None, *,
        coefficients: Tensor, place: Tensor | None, first: int, start: int, count: int | None = None,
        squares: Tensor | None = None, status: Tensor | None = None,
    ) -> None:  # fmt: skip
        self.kernel, width = kernel, p.shape[1]
        self.count = len(which) - first if count is None else count
        self.chunks = max(1, -(-width // CHUNK))
        own = {name: states[name] for name in kernel.used}
        _check(kernel, p, *own.values())
        new, run, blocks = p.new_empty, len(which), (len(which), self.chunks)
        self.squares = new(run, dtype=torch.float64) if squares is None else squares
        self.status = new(run, dtype=torch.uint8) if status is None else status
        scratch = [new(blocks, dtype=torch.float64), new(blocks, dtype=torch.uint8), new(blocks, dtype=torch.uint8)]
        self.held = [p, which, live, clip, coefficients, place, *own.values(), *scratch]  # what the kernels read and write
        partial, bad_g, bad_p = (t.data_ptr() for t in scratch)
        at = {name: _address(t) for name, t in {"place": place, "which": which, "live": live, "clip": clip}.items()}
        self.told = kernel.type(
            rows=self.count, chunks=self.chunks, width=width, first=first, start=start, count=coefficients.shape[-2],
            p_stride=p.stride(0), p=p.data_ptr(), coefficients=coefficients.data_ptr(), partial=partial, bad_g=bad_g,
            bad_p=bad_p, squares=self.squares.data_ptr(), status=self.status.data_ptr(), **at,
        )  # fmt: skip
        for k, state in enumerate(own.values()):
            self.told.states[k], self.told.strides[k] = state.data_ptr(), state.stride(0)
        self._launches = [
            Launch(kernel.gpu.driver, function, BLOCK, [self.told], kernel.gpu.bind) for function in kernel.functions
        ]

    def launch(self, grads: Tensor, loss: Tensor | None) -> None:
        """One step with gradients `[rows run, D]` and losses `[rows run]` (None: not looked at), on the current stream."""
        _check(self.kernel, grads)
        gpu = self.kernel.gpu
        self.told.g, self.told.g_stride, self.told.loss = grads.data_ptr(), grads.stride(0), _address(loss)
        with gpu.current():
            stream = gpu.stream()
            for launch in self._launches:
                if self.count:
                    launch(self.count * self.chunks, stream)


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _check(kernel: LaneKernel, *tensors: Tensor) -> None:
    for x in tensors:
        good = x.dim() == 2 and x.dtype == kernel.dtype and (x.shape[1] < 2 or x.stride(1) == 1)
        if not good or x.device != kernel.gpu.device:
            raise BadValueError(
                f"{kernel.settings.rule.name}: a step needs matrices of {kernel.dtype} on {kernel.gpu.device} with contiguous "
                f"rows, got {list(x.shape)} of {x.dtype} on {x.device} with strides {x.stride()}"
            )


_made: dict[tuple[Any, ...], LaneKernel] = {}


def lane_kernels(settings: Sequence[Settings], dtype: torch.dtype, gpu: Gpu) -> list[LaneKernel]:
    """The kernels of these programs, each made once a process and device; errors as `LaneKernel`'s."""
    made = []
    for s in settings:
        key = (s.rule, s.program, dtype, gpu.device)
        if key not in _made:
            _made[key] = LaneKernel(s, dtype, gpu)
        made.append(_made[key])
    return made
