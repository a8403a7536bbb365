"""A rule's compiled step on separate tensors: one call for all of them, through a table of pointers.

An optimizer's step, not a lane's: nothing is checked or put back, NaN goes where it goes in torch. All tensors together
are one range of elements, cut into chunks over the threads; a chunk may span many small tensors or be a piece of a large
one. Every element is computed alone, so neither the cuts nor the number of threads change a bit of the result.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slalom.core.rule import Rule, Settings
from slalom.engines.kernels import cache, objects
from slalom.engines.kernels.kernel import PARALLEL_FROM, dtype_name
from slalom.engines.kernels.source import filled, state_order
from slalom.engines.kernels.storage import GOLDEN, Storage, StoredMemory
from slalom.engines.printers.c import c_body
from slalom.engines.printers.host import HostTape
from slalom.engines.printers.tree import program

ALIGN = 16  # elements; each tensor starts a multiple of this, so that a cut lies at the start of a vector
FEW = 16  # rows of coefficients that are computed one by one in Python rather than together in NumPy
SYMBOLS = ("slalom_read", "slalom_tensors", *objects.SYMBOLS)

_FRAME = r"""
/* The numbers at n places, each a float or a double, as doubles. */
void slalom_read(int64_t n, void *const *at, const uint8_t *wide, double *out) {
    for (int64_t i = 0; i < n; i++) out[i] = wide[i] ? *(const double *)at[i] : (double)*(const float *)at[i];
}

/* Steps n tensors in place; `table` holds their p, g and states, n pointers each, `starts` where each begins in the range
   of all elements, `row` its row of coefficients, `streams` the source of its random bits; every gradient is multiplied by
   `scale`. Then writes the new numbers of each tensor, k a row, of which the first is the count of steps. */
void slalom_tensors(int64_t n, void *const *table, const int64_t *sizes, const int64_t *starts, const int64_t *row,
                    const double *coef, double scale, int threads, int64_t k, void *const *at, const uint8_t *wide,
                    const double *after, const uint64_t *streams) {
    const int64_t total = starts[n], chunks = (total + CHUNK - 1) / CHUNK, D = 0;
    const T factor = (T)scale;
    T *log = 0;
    (void)threads; (void)coef; (void)streams;
    #pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (int64_t task = 0; task < chunks; task++) {
        const int64_t from = task * CHUNK, to = total - from < CHUNK ? total : from + CHUNK;
        int64_t first = 0;
        for (int64_t last = n; last - first > 1;) {
            const int64_t middle = (first + last) / 2;
            if (starts[middle] <= from) first = middle;
            else last = middle;
        }
        for (int64_t j = first; j < n && starts[j] < to; j++) {
            const int64_t begin = from > starts[j] ? from - starts[j] : 0;
            const int64_t size = (to - starts[j] < sizes[j] ? to - starts[j] : sizes[j]) - begin;
            if (size <= 0) continue;
@POINTERS@
            const double *c = coef + row[j] * NCOEF;
            const int which = which_loop(c);
            (void)which;
            RUN(plain, size);
        }
    }
    for (int64_t j = 0; j < k; j++)
        for (int64_t i = 0; i < n; i++) {
            const double value = after[row[i] * k + j];
            if (wide[j * n + i]) *(double *)at[j * n + i] = value;
            else *(float *)at[j * n + i] = (float)value;
        }
}
"""


class TensorKernel:
    """The compiled step of one program for one way of storing; compiled when it is made.

    `states`: the matrices' names in the order of the table; `scalars`: the states that are one number a tensor.
    Raises LanguageError for a rule that does not print as C, NoCompilerError and StoreError as `cache.library` does.
    """

    def __init__(self, settings: Settings, storage: Storage) -> None:
        made = program(settings)
        body = c_body(made)
        self.storage = storage
        self.states = state_order(body)
        self.scalars = made.scalar_states
        self._count = max(1, len(body.coefficients))
        self._tape = HostTape(made, [*body.coefficients, *(made.states[name] for name in self.scalars)])
        self._coefficients = len(body.coefficients)
        names, memory = ["p", "g", *self.states], StoredMemory(storage, tuple(settings.rule.states))
        local = ["p", "g", *(f"s{k}" for k in range(len(self.states)))]
        kinds = [memory.kind(name) for name in names]
        lines = [
            f"{kind} *{x} = ({kind} *)table[{k} * n + j] + begin;" for k, (x, kind) in enumerate(zip(local, kinds, strict=True))
        ]
        if storage.stochastic:
            lines.append(f"const uint64_t key = MIX64(streams[j] + (uint64_t)after[row[j] * k] * {GOLDEN:#x}ULL);")
        pointers = "\n".join(" " * 12 + line for line in lines)
        title = f"{settings.rule.name} on tensors: {settings.program!r}"
        frame, dtype = _FRAME + objects.SOURCE, dtype_name(storage.compute)
        self.source = filled(frame, body, dtype, title, ("plain",), memory, POINTERS=pointers)
        library = cache.library(self.source, SYMBOLS)
        number, pointer = ctypes.c_int64, ctypes.c_void_p
        self.read = library.slalom_read
        self.read.argtypes, self.read.restype = [number, pointer, pointer, pointer], None
        self.same, self.take = objects.bound(library)
        self.step = library.slalom_tensors
        self.step.argtypes = [
            number, pointer, pointer, pointer, pointer, pointer, ctypes.c_double, ctypes.c_int, number, pointer, pointer, pointer,
            pointer,
        ]  # fmt: skip
        self.step.restype = None

    def rows(self, values: Mapping[str, Any], counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`(coefficients [r, n_coef], numbers after the step [r, 1 + scalars])` for counts `[1 + scalars, r]`.

        The first row of `counts` holds the steps taken before this one, the others the scalar states.
        """
        t, r = counts[0] + 1, counts.shape[1]
        made = self._few(values, counts) if r <= FEW else None
        if made is None:
            made = self._tape.run(values, t, dict(zip(self.scalars, counts[1:], strict=True)))
        coefficients = np.empty((r, self._count))
        for k in range(self._coefficients):
            coefficients[:, k] = made[k]
        after = np.empty((r, counts.shape[0]))
        after[:, 0] = t
        for k in range(len(self.scalars)):
            after[:, 1 + k] = made[self._coefficients + k]
        return coefficients, after

    def _few(self, values: Mapping[str, Any], counts: NDArray[np.float64]) -> list[Any] | None:
        made = []
        for steps, *scalars in counts.T.tolist():
            row = self._tape.one(values, steps + 1, dict(zip(self.scalars, scalars, strict=True)))
            if row is None:
                return None
            made.append(row)
        return made[0] if len(made) == 1 else list(zip(*made, strict=True))


def threads_for(elements: int) -> int:
    """How many threads so many elements are worth."""
    return torch.get_num_threads() if elements >= PARALLEL_FROM else 1


_made: dict[tuple[Rule, tuple[Any, ...], Storage], TensorKernel] = {}


def tensor_kernel(settings: Settings, storage: Storage) -> TensorKernel:
    """The kernel of these settings' program, made once a process."""
    key = (settings.rule, settings.program, storage)
    if key not in _made:
        _made[key] = TensorKernel(settings, storage)
    return _made[key]
