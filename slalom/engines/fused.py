"""The fused step: what a parameter group's compiled step needs, kept from step to step.

A `Plan` sorts a group's parameters into tables, one for each way of storing, each stepped by one call of compiled code, and
the rest, which take the eager path (`slalom.engines.step`): other dtypes, devices and layouts, subclasses, memory that
overlaps. Complex numbers are pairs of real ones. Building a plan looks at everything; at every later step it only has to
be seen that nothing moved.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import chain
from operator import is_, itemgetter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.autograd.graph import increment_version

from slalom.core.errors import StoreError
from slalom.core.rule import Settings
from slalom.engines import device
from slalom.engines.device import PLAIN
from slalom.engines.fusible import alike, fusible, shared_storage, storage_of
from slalom.engines.inside import traced
from slalom.engines.kernels.compiler import NoCompilerError
from slalom.engines.kernels.norms import sum_of_squares
from slalom.engines.kernels.pool import runner
from slalom.engines.kernels.storage import STORED, Storage
from slalom.engines.kernels.tensors import ALIGN, TensorKernel, tensor_kernel, threads_for
from slalom.engines.layout import hooks
from slalom.engines.printers.tree import LanguageError
from slalom.engines.state import state_key
from slalom.engines.step import Job, update
from slalom.engines.watch import Watch

_pointer, _count, _packed = torch.Tensor.data_ptr, torch.Tensor.numel, torch.Tensor.is_contiguous
_warned = False


def kernel_of(settings: Settings, storage: Storage) -> TensorKernel | None:
    """The compiled step, or None where there is none: without a compiler that is said once a process."""
    global _warned
    try:
        return tensor_kernel(settings, storage)
    except LanguageError:  # a windowed state, or a rule without a source file: the rule itself is the step
        return None
    except (NoCompilerError, StoreError) as error:
        if not _warned:
            _warned = True
            warnings.warn(
                f"slalom.optim steps without compiled code, several times slower: {error}", RuntimeWarning, stacklevel=5
            )
        return None


class Table:
    """Parameters stored alike as a table of pointers: p, g and states, with their counts and scalar states."""

    where: torch.device | None = None  # the CUDA device, if it is on one

    def __init__(self, kernel: TensorKernel, settings: Settings, jobs: Sequence[Job], index: Sequence[int]) -> None:
        self.kernel = kernel
        self.index = list(index)  # of its parameters among the plan's
        self.params = [job.p for job in jobs]
        self.cells = [job.state for job in jobs]
        places = [kernel.places.get(name, (name, 0)) for name in kernel.states]  # the state, and which entry of its window
        keys = [*(state_key(settings.rule, name) for name, _ in places), "step"]
        keys += [state_key(settings.rule, name) for name in kernel.scalars]
        entries = [*(k for _, k in places), *[0] * (1 + len(kernel.scalars))]
        self.packed = all(map(_packed, self.params))
        self.sizes = list(map(_count, self.params))
        self.g = jobs[0].g.dtype
        self._held = list(chain.from_iterable(map(dict.values, self.cells)))
        self._pointers = self._pointers_now()
        n, matrices = len(jobs), len(kernel.states)
        columns = [list(map(itemgetter(key), self.cells)) for key in keys]
        at = [[_entry(x, k) for x in xs] if k else list(map(_pointer, xs)) for xs, k in zip(columns, entries, strict=True)]
        states = np.array(at, np.int64)
        self._table = np.zeros((2 + matrices, n), np.int64)
        self._table[0] = self._pointers[:n]
        self._table[2:] = states[:matrices]
        self._numbers = np.ascontiguousarray(states[matrices:])  # where the counts and scalar states lie
        self._wide = np.array([[x.dtype == torch.float64 for x in xs] for xs in columns[matrices:]], np.uint8)
        self._sizes = np.array(self.sizes, np.int64) * (2 if self.params[0].is_complex() else 1)
        self._streams = np.array([job.stream or 0 for job in jobs], np.uint64)
        self._starts = np.zeros(n + 1, np.int64)
        np.cumsum(-(-self._sizes // ALIGN) * ALIGN, out=self._starts[1:])
        self._hypers = np.empty(max(1, len(kernel.hypers)))
        self._for: Mapping[str, float] | None = None  # whose numbers these are
        self.elements = int(self._starts[-1])
        stored = dict(kernel.storage.states)
        widths = [kernel.storage.p.itemsize, *(stored[name].itemsize for name in kernel.states)]
        self.bytes = np.array(widths, np.int64)[:, None] * self._sizes  # of what is written: p and the states
        self._order()
        # Addresses that every step needs; the arrays stay where they are.
        self._gradients, self._read_at = self._table[1].ctypes.data, self._read.ctypes.data
        self._arguments: tuple[int, ...] = ()
        found = hooks()
        self._watch = None
        if found is not None and kernel.looks is not None:
            self._watch = Watch(found, kernel.looks, self.params, self.cells, self._held, self._pointers)
        self._seen = False

    def listed(self, params: list[torch.Tensor], state: Mapping[Any, Any]) -> bool:
        """Whether these are its parameters and the dict holds their states alone, seen quickly; False where in doubt."""
        return self._watch is not None and self._watch.listed(params, state)

    def begin(self, grads: list[torch.Tensor]) -> bool:
        """Whether the gradients that it was made for lie in no memory that is written; notes where they are."""
        self._seen = True
        return self._take(grads)

    def fits(self, grads: list[torch.Tensor]) -> bool:
        """Whether the memory is where it was, and these gradients are of the right form; notes where they are."""
        watch = self._watch
        if watch is not None:
            if not watch.same():
                return False
            found = watch.take(grads, self._gradients, self._read_at, self._begin, self._end)
            if found is not None:
                return found
        if not (self._unmoved(grads) and self._take(grads)):
            return False
        if self._seen and watch is not None:  # the step after the one it was made for: it may serve many more
            watch.learn(grads)
        self._seen = True
        return True

    def _unmoved(self, grads: Sequence[torch.Tensor]) -> bool:
        try:
            if self._pointers_now() != self._pointers or list(map(_count, self.params)) != self.sizes:
                return False
        except (TypeError, RuntimeError):  # a state is no tensor
            return False
        if not PLAIN.issuperset(map(type, grads)):
            return False
        if self.packed and all(map(_packed, self.params)) and all(map(_packed, grads)):
            return True
        return all(alike(p, g) for p, g in zip(self.params, grads, strict=True))

    def _take(self, grads: Sequence[torch.Tensor]) -> bool:
        dtype = self.g
        plain = all(g.dtype == dtype and g.layout == torch.strided and not g.is_neg() and not g.is_conj() for g in grads)
        if not plain or list(map(_count, grads)) != self.sizes:
            return False
        row = np.array(list(map(_pointer, grads)), np.int64)
        self._table[1] = row
        return not self._touches(row)

    def square_sum(self) -> float:
        """The sum of the squares of the gradients that `fits` has seen last."""
        stored = STORED[self.kernel.storage.g]
        return sum_of_squares(self._table[1], self._sizes, stored, threads_for(self.elements))

    def hypers(self, settings: Settings, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Which of a step's hypers its kernel takes: numbers, whatever they were given as."""
        return settings.values

    def step(self, values: Mapping[str, float], factor: float) -> None:
        """Steps all its parameters in place, their counts and scalar states too; gradients are multiplied by `factor`."""
        if not self._arguments:
            self._arguments = self._addresses()
        if values is not self._for:
            self._hypers[:] = [values[name] for name in self.kernel.hypers] or 0.0
            self._for = values
        increment_version(self.params)  # before, while what `fits` has looked at is in the cache
        threads = threads_for(self.elements)
        self.kernel.step(len(self.params), *self._arguments, factor, threads, runner(threads, self.elements))

    def _addresses(self) -> tuple[int, ...]:
        """What the compiled step takes, from the table to the hypers."""
        n = len(self.params)
        self._room = (np.empty(n, np.int64), np.empty(n * self.kernel.room, np.uint8))
        given = (self._table, self._sizes, self._starts, self._numbers, self._wide, self._streams, *self._room, self._hypers)
        return tuple(x.ctypes.data for x in given)

    def _pointers_now(self) -> list[int]:
        # Of all that the states hold, in order. The tensors are kept alive by `params` and `_held`, so an equal pointer is
        # the same memory.
        return list(map(_pointer, chain(self.params, chain.from_iterable(map(dict.values, self.cells)))))

    def _order(self) -> None:
        # The memory that is written, in order of address, to see whether a gradient lies in it.
        written = np.delete(self._table, 1, axis=0)
        begin, end = written.ravel(), (written + self.bytes).ravel()
        begin, end = begin[end > begin], end[end > begin]
        self._read = self._sizes * self.kernel.storage.g.itemsize
        order = np.argsort(begin, kind="stable")
        self._begin, self._end = begin[order], end[order]

    def overlaps_itself(self) -> bool:
        """Whether two of the tensors that are written share memory."""
        return bool((self._begin[1:] < self._end[:-1]).any())

    def _touches(self, gradients: NDArray[np.int64]) -> bool:
        begin, end = self._begin, self._end
        after = np.searchsorted(end, gradients, "right")  # the first that ends beyond the gradient's start
        near = after < begin.size
        return bool((begin[after[near]] < (gradients + self._read)[near]).any())


def _entry(x: torch.Tensor, k: int) -> int:
    """Where entry k of a window begins."""
    return _pointer(x) + k * x.stride(0) * x.element_size()


def one_device(plans: Sequence[Plan]) -> torch.device | None:
    """The CUDA device on which compiled code steps everything of these plans; None where it is not so."""
    places = {table.where for plan in plans for table in plan.tables}
    return places.pop() if len(places) == 1 and not any(plan.rest for plan in plans) else None


def table_of(
    settings: Settings, storage: Storage, where: torch.device | None, jobs: Sequence[Job], index: Sequence[int]
) -> Table | None:
    """The table of jobs that are stored alike, on a CUDA device or (None) the processor; None where no kernel steps them."""
    if where is not None:
        from slalom.engines.fused_cuda import cuda_table  # what it needs is loaded where there is such a device

        return cuda_table(settings, storage, where, jobs, index)
    kernel = kernel_of(settings, storage)
    return None if kernel is None else Table(kernel, settings, jobs, index)


class Plan:
    """A group's parameters that have a gradient, and how each is stepped; `settings` decides whether it still holds."""

    def __init__(self, settings: Settings, jobs: Sequence[Job], *, differentiable: bool = False, seed: int | None = None) -> None:
        self.seed = seed
        self.program = settings.program
        self.settings = settings
        self.params = [job.p for job in jobs]
        self.cells = [job.state for job in jobs]
        self.tables: list[Table] = []
        self.rest: list[Job] = []
        if differentiable or traced():
            self.rest = list(jobs)
            return
        fit: dict[tuple[Any, ...], list[int]] = {}
        shared = shared_storage(jobs, settings)
        if shared is not None:
            fit[None, shared, False] = list(range(len(jobs)))
        for k, job in enumerate(jobs if shared is None else ()):
            if fusible(job, settings):
                where = job.p.device if device.on_cuda(job.p) else None
                fit.setdefault((where, storage_of(job, settings), job.p.is_complex()), []).append(k)
            else:
                self.rest.append(job)
        for (where, storage, _), index in fit.items():
            chosen = [jobs[k] for k in index]
            table = table_of(settings, storage, where, chosen, index)
            if table is None or table.overlaps_itself() or not table.begin([job.g for job in chosen]):
                self.rest += chosen
            else:
                self.tables.append(table)

    def fits(
        self,
        settings: Settings,
        params: list[Any],
        grads: list[Any],
        state: Mapping[Any, Any],
        seed: int | None = None,
    ) -> bool:
        """Whether it serves this step too: the same program, parameters, states and memory, nothing left to the eager path."""
        if self.rest or seed != self.seed or (settings is not self.settings and settings.program != self.program) or traced():
            return False
        if len(self.tables) == 1 and self.tables[0].listed(params, state):  # all there is
            return self.tables[0].fits(grads)
        if len(params) != len(self.params) or not all(map(is_, params, self.params)):
            return False
        in_order = len(state) == len(self.cells) and all(map(is_, state.values(), self.cells))
        if not in_order and not all(map(is_, map(state.get, params), self.cells)):  # dearer: a hash each
            return False
        return all(t.fits(grads if len(t.index) == len(grads) else [grads[k] for k in t.index]) for t in self.tables)

    def square_sum(self) -> float:
        """The sum of the squares of the gradients that compiled code steps; those of `rest` are not in it."""
        return sum(table.square_sum() for table in self.tables)

    def step(
        self,
        settings: Settings,
        values: Mapping[str, Any],
        *,
        maximize: bool,
        differentiable: bool,
        factor: float | torch.Tensor = 1.0,
    ) -> None:
        """One step of every parameter, in place; every gradient is multiplied by `factor` first."""
        if self.tables:
            plain = -float(factor) if maximize else float(factor)
            for table in self.tables:
                table.step(table.hypers(settings, values), plain)
        if self.rest:
            update(settings, values, self.rest, maximize=maximize, differentiable=differentiable, factor=factor)
