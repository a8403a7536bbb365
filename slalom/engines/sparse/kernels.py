"""A rule's compiled step on some rows of a parameter, and the compiled replay of steps that rows have missed."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from slalom.core.errors import StoreError
from slalom.core.rule import Rule, Settings
from slalom.engines.kernels import cache, pool
from slalom.engines.kernels.compiler import NoCompilerError
from slalom.engines.kernels.kernel import PARALLEL_FROM, dtype_name
from slalom.engines.kernels.source import filled, state_order
from slalom.engines.kernels.storage import Memory
from slalom.engines.printers.c import c_body
from slalom.engines.printers.host import HostTape
from slalom.engines.printers.nodes import Step
from slalom.engines.printers.tree import LanguageError, Program, program, reads
from slalom.engines.sparse.gradient import RowGradient
from slalom.engines.sparse.zero import without_gradient

DTYPES = (torch.float32, torch.float64)
Floats = NDArray[np.float64]
K = TypeVar("K")

_STEP = r"""
#define MATRICES @MATRICES@
#define AHEAD 6
#define PIECE 512 /* elements of a row that are summed at a time, where it has several entries */

#define TOGETHER 64 /* rows that one thread takes at a time */
typedef struct {
    int64_t n, D;
    const int64_t *at, *first, *order, *row;
    T *const *table;
    const T *G;
    const double *coef;
    double sign;
} STEP;

static void step_rows(void *given, int64_t task) {
    const STEP *all = given;
    const int64_t D = all->D, *at = all->at, *first = all->first, *order = all->order, begun = task * TOGETHER;
    const int64_t n = all->n - begun < TOGETHER ? all->n : begun + TOGETHER;
    T *const *table = all->table;
    const T *G = all->G, factor = (T)all->sign;
    T *log = 0;
    for (int64_t k = begun; k < n; k++) {
        const int64_t from = first ? first[k] : k, entries = first ? first[k + 1] - from : 1, whole = entries == 1 ? D : PIECE;
        if (k + AHEAD < n) { /* rows lie far apart: fetched while those before are worked on */
            const int64_t soon = at[k + AHEAD] * D, entry = first ? order[first[k + AHEAD]] : k + AHEAD;
            for (int64_t b = 0; b < D * (int64_t)sizeof(T) && b < 1024; b += 64) {
                for (int m = 0; m < MATRICES; m++) __builtin_prefetch((const char *)(table[m] + soon) + b, 1);
                __builtin_prefetch((const char *)(G + entry * D) + b);
            }
        }
        const double *c = all->coef + (all->row ? all->row[k] : 0) * NCOEF;
        const int which = which_loop(c);
        (void)which;
        for (int64_t done = 0; done < D; done += whole) {
            const int64_t begin = at[k] * D + done, size = D - done < whole ? D - done : whole;
            const T *g = G + (first ? order[from] : k) * D + done;
            T sum[PIECE], *p = table[0] + begin;
            if (entries > 1) {
                memcpy(sum, g, (size_t)size * sizeof(T));
                for (int64_t e = from + 1; e < from + entries; e++) {
                    const T *x = G + order[e] * D + done;
                    for (int64_t i = 0; i < size; i++) sum[i] += x[i];
                }
                g = sum;
            }
@POINTERS@
            RUN(plain, size);
        }
    }
}

/* Steps n rows of width D in place: row at[k] of the matrices in `table` (p, then the states) along the sum of the entries
   order[first[k]..first[k + 1]) of G, entry k alone where `first` is null. `row` tells each its row of coefficients; all take
   the first where it is null. */
void slalom_rows(int64_t n, const int64_t *at, const int64_t *first, const int64_t *order, int64_t D, T *const *table, const T *G,
                 const int64_t *row, const double *coef, double sign, int threads, RUNNER *run) {
    STEP all = {n, D, at, first, order, row, table, G, coef, sign};
    PIECES(run, (n + TOGETHER - 1) / TOGETHER, threads, step_rows, &all);
}
"""

# Flushing denormals to zero (float32 alone, during a replay alone): a momentum that shrinks for hundreds of steps would reach
# them, and stay there at a hundredth of the speed, with moves of 1e-38 that no parameter notices.
_REPLAY = r"""
#define PIECE 512 /* elements that stay in the nearest cache while the steps pass over them */
#if FLUSH && defined(__SSE__)
#include <xmmintrin.h>
#define BEGIN_FLUSH const unsigned saved = _mm_getcsr(); _mm_setcsr(saved | 0x8040);
#define END_FLUSH _mm_setcsr(saved);
#elif FLUSH && defined(__aarch64__)
#define BEGIN_FLUSH uint64_t saved; __asm__ volatile("mrs %0, fpcr" : "=r"(saved)); \
    __asm__ volatile("msr fpcr, %0" :: "r"(saved | (1ull << 24)));
#define END_FLUSH __asm__ volatile("msr fpcr, %0" :: "r"(saved));
#else
#define BEGIN_FLUSH
#define END_FLUSH
#endif

/* Brings rows to the journal's entry `to`: row r takes seen[r] next (below 0: it has nothing to catch up), whose coefficients
   stand at coef + (seen[r] - start) * NCOEF. The rows are at[0..n), in any order, some perhaps twice, or the first n where
   `at` is null; returns how many were replayed, or -1, nothing done, where one is not in [0, count). */
int64_t slalom_replay(int64_t n, const int64_t *at, int64_t count, int64_t D, T *const *table, int32_t *seen, int32_t to,
                      int64_t start, const double *coef, int threads, int64_t parallel) {
    const T factor = 0;
    T *log = 0;
    int64_t work = 0, replayed = 0;
    for (int64_t k = 0; k < n; k++) {
        const int64_t r = at ? at[k] : k;
        if (r < 0 || r >= count) return -1;
        if (seen[r] >= 0 && seen[r] < to) work += (int64_t)(to - seen[r]) * D;
    }
    if (!work) return 0;
    if (work < parallel) threads = 1;
    (void)threads; (void)coef;
    #pragma omp parallel num_threads(threads) if (threads > 1) reduction(+:replayed)
    {
        BEGIN_FLUSH
        #pragma omp for schedule(dynamic, 16)
        for (int64_t k = 0; k < n; k++) {
            const int64_t r = at ? at[k] : k;
            int32_t from = __atomic_load_n(seen + r, __ATOMIC_RELAXED);
            if (from < 0 || from >= to) continue;
            if (!__atomic_compare_exchange_n(seen + r, &from, to, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) continue;
            for (int64_t at_element = 0; at_element < D; at_element += PIECE) {
                const int64_t begin = r * D + at_element, size = D - at_element < PIECE ? D - at_element : PIECE;
                T *p = table[0] + begin;
                const T *g = p; /* never read: the gradient is 0 */
@POINTERS@
                for (int64_t j = from - start; j < to - start; j++) {
                    const double *c = coef + j * NCOEF;
                    const int which = which_loop(c);
                    (void)which;
                    RUN(plain, size);
                }
            }
            replayed++;
        }
        END_FLUSH
    }
    return replayed;
}
"""


class _Compiled:
    """A program, printed and compiled for one dtype: what its C code needs to know."""

    def __init__(self, made: Program, dtype: torch.dtype, frame: str, symbol: str, title: str) -> None:
        body = c_body(made)
        self.dtype = dtype
        self.states = state_order(body)
        self.scalars = made.scalar_states
        self.width = max(1, len(body.coefficients))
        self._count = len(body.coefficients)
        self._tape = HostTape(made, [*body.coefficients, *(made.states[name] for name in self.scalars)])
        pointers = "\n".join(f"        T *s{k} = table[{1 + k}] + begin;" for k in range(len(self.states)))
        self.source = filled(
            frame, body, dtype_name(dtype), title, ("plain",), Memory(), POINTERS=pointers, MATRICES=str(1 + len(self.states))
        )
        self._call = getattr(cache.library(self.source, (symbol,)), symbol)

    def coefficients(self, values: Mapping[str, Any], t: Floats, scalars: Mapping[str, Floats]) -> tuple[Floats, list[Floats]]:
        """`(coefficients [r, width], new scalar states, [r] each)` at steps `t [r]`, counted from 1."""
        made: list[Any] | None = None
        if len(t) == 1:  # as the dense step computes its own, to the bit
            made = self._tape.one(values, float(t[0]), {name: float(x[0]) for name, x in scalars.items()})
        if made is None:
            made = self._tape.run(values, t, scalars)
        told = np.empty((len(t), self.width))
        for k in range(self._count):
            told[:, k] = made[k]
        return told, [np.broadcast_to(x, t.shape) for x in made[self._count :]]


class StepKernel(_Compiled):
    """The step of rows that have a gradient."""

    def __init__(self, settings: Settings, dtype: torch.dtype) -> None:
        title = f"{settings.rule.name} on rows: {settings.program!r}"
        super().__init__(program(settings), dtype, pool.RUNNER + _STEP, "slalom_rows", title)
        number, pointer = ctypes.c_int64, ctypes.c_void_p
        self._call.argtypes = [number, *[pointer] * 3, number, *[pointer] * 4, ctypes.c_double, ctypes.c_int, pointer]
        self._call.restype = None

    def step(
        self,
        table: NDArray[np.int64],
        gradient: RowGradient,
        entries: torch.Tensor,
        which: NDArray[np.int64] | None,
        coefficients: Floats,
        sign: float,
    ) -> None:
        """Steps the gradient's rows of the matrices at `table` along `sign` times its `entries`, or a copy of them."""
        rows, groups = gradient.rows, gradient.groups
        threads = torch.get_num_threads() if entries.numel() >= PARALLEL_FROM else 1
        first, order = (None, None) if groups is None else (groups.first.data_ptr(), groups.order.data_ptr())
        row = None if which is None else which.ctypes.data
        self._call(
            len(rows), rows.data_ptr(), first, order, entries.shape[1], table.ctypes.data, entries.data_ptr(), row,
            coefficients.ctypes.data, sign, threads, pool.runner(threads, entries.numel()),
        )  # fmt: skip


class ReplayKernel(_Compiled):
    """The steps without gradient that rows have missed."""

    def __init__(self, settings: Settings, dtype: torch.dtype) -> None:
        flush = "#define FLUSH 1\n" if dtype == torch.float32 else "#define FLUSH 0\n"
        title = f"{settings.rule.name} on rows that missed steps: {settings.program!r}"
        super().__init__(without_gradient(program(settings)), dtype, flush + _REPLAY, "slalom_replay", title)
        number, pointer, int32 = ctypes.c_int64, ctypes.c_void_p, ctypes.c_int32
        self._call.argtypes = [number, pointer, number, number, pointer, pointer, int32, number, pointer, ctypes.c_int, number]
        self._call.restype = number

    def replay(
        self,
        table: NDArray[np.int64],
        width: int,
        rows: torch.Tensor | None,
        seen: torch.Tensor,
        to: int,
        start: int,
        journal: Floats,
    ) -> int:
        """Replays rows (all without any) up to step `to`; how many were behind, or -1 where one does not exist."""
        n = len(seen) if rows is None else len(rows)
        at = None if rows is None else rows.data_ptr()
        threads, least = torch.get_num_threads(), PARALLEL_FROM
        return int(
            self._call(
                n, at, len(seen), width, table.ctypes.data, seen.data_ptr(), to, start, journal.ctypes.data, threads, least
            )
        )


_made: dict[tuple[type, Rule, tuple[Any, ...], torch.dtype], Any] = {}
_warned = False


def compiled(kind: Callable[[Settings, torch.dtype], K], settings: Settings, dtype: torch.dtype) -> K | None:
    """The kernel of that kind, made once a process; None where there is none, said once where a compiler is what lacks."""
    global _warned
    key = (kind, settings.rule, settings.program, dtype)
    if key not in _made:
        try:
            _made[key] = kind(settings, dtype) if dtype in DTYPES else None  # type: ignore[index]
        except LanguageError:  # a windowed state, or a rule without a source file
            _made[key] = None  # type: ignore[index]
        except (NoCompilerError, StoreError) as error:
            if not _warned:
                _warned = True
                message = f"slalom.optim steps rows without compiled code, several times slower: {error}"
                warnings.warn(message, RuntimeWarning, stacklevel=2)
            return None
    made: K | None = _made[key]  # type: ignore[index]
    return made


_counted: dict[tuple[Rule, tuple[Any, ...]], bool] = {}


def counts(settings: Settings) -> bool:
    """Whether a step depends on how many came before, or on a scalar state: whether rows need counts of their own."""
    key = (settings.rule, settings.program)
    if key not in _counted:
        try:
            made = program(settings)
        except LanguageError:
            _counted[key] = True
        else:
            leaves = {leaf for node in (made.p, *made.states.values()) for leaf in reads(made, node)}
            _counted[key] = Step() in leaves or bool(made.scalar_states)
    return _counted[key]
