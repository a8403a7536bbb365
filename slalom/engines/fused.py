"""The fused step on the CPU: what a parameter group's compiled step needs, kept from step to step.

A `Plan` sorts a group's parameters into tables, one a dtype, each stepped by one call of compiled code, and the rest,
which take the eager path (`slalom.engines.step`): other dtypes, devices and layouts, complex numbers, subclasses,
memory that overlaps. Building a plan looks at everything; at every later step it only has to be seen that nothing moved.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import chain
from operator import is_
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.autograd.graph import increment_version

from slalom.core.errors import StoreError
from slalom.core.rule import Settings
from slalom.engines.inside import traced, wrapped
from slalom.engines.kernels.compiler import NoCompilerError
from slalom.engines.kernels.tensors import ALIGN, TensorKernel, tensor_kernel, threads_for
from slalom.engines.printers.tree import LanguageError
from slalom.engines.state import state_key
from slalom.engines.step import Job, update

_DTYPES = (torch.float32, torch.float64)
_PLAIN = frozenset({torch.Tensor, torch.nn.Parameter})
_pointer, _count, _packed = torch.Tensor.data_ptr, torch.Tensor.numel, torch.Tensor.is_contiguous
_warned = False


def kernel_of(settings: Settings, dtype: torch.dtype) -> TensorKernel | None:
    """The compiled step, or None where there is none: without a compiler that is said once a process."""
    global _warned
    try:
        return tensor_kernel(settings, dtype)
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
    """Parameters of one dtype as a table of pointers: p, g and states, with their counts and scalar states."""

    def __init__(self, kernel: TensorKernel, settings: Settings, jobs: Sequence[Job], index: Sequence[int]) -> None:
        self.kernel = kernel
        self.index = list(index)  # of its parameters among the plan's
        self.params = [job.p for job in jobs]
        self.cells = [job.state for job in jobs]
        keys = [state_key(settings.rule, name) for name in (*kernel.states, *kernel.scalars)]
        keys.insert(len(kernel.states), "step")
        self.packed = all(map(_packed, self.params))
        self.sizes = list(map(_count, self.params))
        self._held = list(chain.from_iterable(map(dict.values, self.cells)))
        self._pointers = self._pointers_now()
        n, matrices = len(jobs), len(kernel.states)
        states = np.array([[_pointer(cell[key]) for cell in self.cells] for key in keys], np.int64)
        self._table = np.zeros((2 + matrices, n), np.int64)
        self._table[0] = list(map(_pointer, self.params))
        self._table[2:] = states[:matrices]
        self._numbers = np.ascontiguousarray(states[matrices:])  # where the counts and scalar states lie
        self._wide = np.array([self._double(cell, keys[matrices:]) for cell in self.cells], np.uint8).T.copy()
        self._sizes = np.array(self.sizes, np.int64)
        self._starts = np.zeros(n + 1, np.int64)
        np.cumsum(-(-self._sizes // ALIGN) * ALIGN, out=self._starts[1:])
        self._same_row = np.zeros(n, np.int64)
        self._told = np.empty((1 + len(kernel.scalars), n))
        self.elements = int(self._starts[-1])
        self.bytes = self._sizes * kernel.dtype.itemsize
        self._gradients: list[int] = []
        self._order()

    def fits(self, grads: Sequence[torch.Tensor]) -> bool:
        """Whether the memory is where it was, and these gradients are of the right form; notes where they are."""
        try:
            if self._pointers_now() != self._pointers or list(map(_count, self.params)) != self.sizes:
                return False
            gradients = list(map(_pointer, grads))
        except (TypeError, RuntimeError):  # a state is no tensor; a sparse gradient has no pointer
            return False
        if not _PLAIN.issuperset(map(type, grads)):
            return False
        if self.packed:
            if not (all(map(_packed, self.params)) and all(map(_packed, grads))):
                return False
        elif not all(alike(p, g) for p, g in zip(self.params, grads, strict=True)):
            return False
        return gradients == self._gradients or self._take(grads, gradients)

    def _take(self, grads: Sequence[torch.Tensor], gradients: list[int]) -> bool:
        dtype = self.kernel.dtype
        plain = all(g.dtype == dtype and g.layout == torch.strided and not g.is_neg() for g in grads)
        if not plain or list(map(_count, grads)) != self.sizes:
            return False
        row = np.array(gradients, np.int64)
        if self._touches(row):
            return False
        self._table[1] = row
        self._gradients = gradients
        return True

    def step(self, values: Mapping[str, float], maximize: bool) -> None:
        """Steps all its parameters in place, their counts and scalar states too."""
        kernel, n, told = self.kernel, len(self.params), self._told
        numbers, wide = self._numbers.ctypes.data, self._wide.ctypes.data
        kernel.read(told.size, numbers, wide, told.ctypes.data)
        row, distinct = self._same_row, told[:, :1]
        if not (told == distinct).all():
            distinct, row = np.unique(told, axis=1, return_inverse=True)
            row = np.ascontiguousarray(row.reshape(n), np.int64)
        coefficients, after = kernel.rows(values, distinct)
        kernel.step(
            n, self._table.ctypes.data, self._sizes.ctypes.data, self._starts.ctypes.data, row.ctypes.data,
            coefficients.ctypes.data, -1.0 if maximize else 1.0, threads_for(self.elements), told.shape[0], numbers, wide,
            after.ctypes.data,
        )  # fmt: skip
        increment_version(self.params)

    def _pointers_now(self) -> list[int]:
        # Of all that the states hold, in order. The tensors are kept alive by `params` and `_held`, so an equal pointer is
        # the same memory.
        return list(map(_pointer, chain(self.params, chain.from_iterable(map(dict.values, self.cells)))))

    @staticmethod
    def _double(cell: Mapping[str, torch.Tensor], keys: Sequence[str]) -> list[bool]:
        return [cell[key].dtype == torch.float64 for key in keys]

    def _order(self) -> None:
        # The memory that is written, in order of address, to see whether a gradient lies in it.
        written = np.delete(self._table, 1, axis=0)
        begin, end = written.ravel(), (written + self.bytes).ravel()
        order = np.argsort(begin, kind="stable")
        self._begin, self._end = begin[order], end[order]

    def overlaps_itself(self) -> bool:
        """Whether two of the tensors that are written share memory."""
        some = self._end > self._begin
        return bool((self._begin[some][1:] < self._end[some][:-1]).any())

    def _touches(self, gradients: NDArray[np.int64]) -> bool:
        some = self._end > self._begin
        begin, end = self._begin[some], self._end[some]
        after = np.searchsorted(end, gradients, "right")  # the first that ends beyond the gradient's start
        near = after < begin.size
        return bool((begin[after[near]] < (gradients + self.bytes)[near]).any())


class Plan:
    """A group's parameters that have a gradient, and how each is stepped; `settings` decides whether it still holds."""

    def __init__(self, settings: Settings, jobs: Sequence[Job], *, differentiable: bool = False) -> None:
        self.program = settings.program
        self.settings = settings
        self.params = [job.p for job in jobs]
        self.cells = [job.state for job in jobs]
        self.tables: list[Table] = []
        self.rest: list[Job] = []
        if differentiable or traced():
            self.rest = list(jobs)
            return
        fit: dict[torch.dtype, list[int]] = {}
        for k, job in enumerate(jobs):
            if fusible(job, settings):
                fit.setdefault(job.p.dtype, []).append(k)
            else:
                self.rest.append(job)
        for dtype, index in fit.items():
            chosen = [jobs[k] for k in index]
            kernel = kernel_of(settings, dtype)
            table = None if kernel is None else Table(kernel, settings, chosen, index)
            if table is None or table.overlaps_itself() or not table.fits([job.g for job in chosen]):
                self.rest += chosen
            else:
                self.tables.append(table)

    def fits(self, settings: Settings, params: Sequence[Any], grads: Sequence[Any], state: Mapping[Any, Any]) -> bool:
        """Whether it serves this step too: the same program, parameters, states and memory, nothing left to the eager path."""
        if self.rest or (settings is not self.settings and settings.program != self.program) or traced():
            return False
        if len(params) != len(self.params) or not all(map(is_, params, self.params)):
            return False
        in_order = len(state) == len(self.cells) and all(map(is_, state.values(), self.cells))
        if not in_order and not all(map(is_, map(state.get, params), self.cells)):  # dearer: a hash each
            return False
        return all(t.fits(grads if len(t.index) == len(grads) else [grads[k] for k in t.index]) for t in self.tables)

    def step(self, settings: Settings, values: Mapping[str, Any], *, maximize: bool, differentiable: bool) -> None:
        """One step of every parameter, in place."""
        for table in self.tables:
            table.step(settings.values, maximize)
        if self.rest:
            update(settings, values, self.rest, maximize=maximize, differentiable=differentiable)


def alike(p: torch.Tensor, x: torch.Tensor) -> bool:
    """Whether the same element of both lies at the same distance from their first."""
    return p.shape == x.shape and ((p.is_contiguous() and x.is_contiguous()) or p.stride() == x.stride())


def fusible(job: Job, settings: Settings) -> bool:
    """Whether compiled code may step this parameter: plain CPU memory, of one form and dtype throughout."""
    p = job.p
    if type(p) not in _PLAIN or p.layout != torch.strided or p.device.type != "cpu" or p.dtype not in _DTYPES:
        return False
    if wrapped(p) or p.is_neg() or not isinstance(job.state, dict):
        return False
    if not all(type(x) in _PLAIN and x.layout == torch.strided for x in job.state.values()):
        return False  # something of the user's own
    if not (p.is_contiguous() or torch.ops.aten.is_non_overlapping_and_dense(p)):
        return False
    others = [(job.g, False), (job.state["step"], True)]
    for name, declared in settings.states.items():
        others.append((job.state[state_key(settings.rule, name)], declared.scalar))
    for x, scalar in others:
        if type(x) not in _PLAIN or x.layout != torch.strided or x.device.type != "cpu" or x.is_neg():
            return False
        if scalar and (x.dtype not in _DTYPES or x.numel() != 1):
            return False
        if not scalar and (x.dtype != p.dtype or not alike(p, x)):
            return False
    return True
