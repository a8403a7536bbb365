"""A rule's compiled step on separate tensors: one call for all of them, through a table of pointers.

An optimizer's step, not a lane's: nothing is checked or put back, NaN goes where it goes in torch. All tensors together
are one range of elements, cut into pieces over the threads; a piece may span many small tensors or be a part of a large
one. Every element is computed alone, so neither the cuts nor the number of threads change a bit of the result.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import torch

from slalom.core.rule import Rule, Settings
from slalom.engines.kernels import cache, objects, pool
from slalom.engines.kernels.kernel import PARALLEL_FROM, dtype_name
from slalom.engines.kernels.source import filled, state_order
from slalom.engines.kernels.storage import GOLDEN, Storage, StoredMemory
from slalom.engines.printers.c import c_body
from slalom.engines.printers.host import HostTape
from slalom.engines.printers.tape import tape_lines
from slalom.engines.printers.tree import LanguageError, Program, program
from slalom.engines.printers.windows import unrolled

ALIGN = 16  # elements; each tensor starts a multiple of this, so that a cut lies at the start of a vector
SYMBOLS = ("slalom_tensors", *objects.SYMBOLS)

_FRAME = r"""
#define NUMBERS @NUMBERS@ /* of each tensor: its count of steps, then its scalar states */
typedef struct { double told[NUMBERS], after[NUMBERS], c[NCOEF]; } ROW;

static double POWER(double x, double y) { return pow(x, y); }

/* What all elements of a tensor share in a step: the coefficients, and its numbers afterwards. */
static void prepare(const double *hyper, ROW *row) {
    (void)hyper;
@TAPE@
}

/* Which row of `rows` serves each of n tensors: those whose numbers are equal share one, if they stand side by side or the
   first tensor has them too. */
static void read_numbers(int64_t n, const double *hyper, void *const *at, const uint8_t *wide, int64_t *which, ROW *rows) {
    int64_t made = 0;
    for (int64_t i = 0; i < n; i++) {
        double told[NUMBERS];
        for (int j = 0; j < NUMBERS; j++) {
            const int64_t k = j * n + i;
            told[j] = wide[k] ? *(const double *)at[k] : (double)*(const float *)at[k];
        }
        if (i && !memcmp(told, rows[which[i - 1]].told, sizeof told)) which[i] = which[i - 1];
        else if (i && !memcmp(told, rows[0].told, sizeof told)) which[i] = 0;
        else {
            memcpy(rows[made].told, told, sizeof told);
            prepare(hyper, rows + made);
            which[i] = made++;
        }
    }
}

typedef struct {
    int64_t n, total, piece;
    void *const *table;
    const int64_t *sizes, *starts, *which_row;
    const uint64_t *streams;
    const ROW *rows;
    double scale;
} STEP;

static void step_piece(void *given, int64_t task) {
    const STEP *all = given;
    const int64_t n = all->n, D = 0, *starts = all->starts, *sizes = all->sizes, from = task * all->piece;
    const int64_t to = all->total - from < all->piece ? all->total : from + all->piece;
    const uint64_t *streams = all->streams;
    void *const *table = all->table;
    const T factor = (T)all->scale;
    T *log = 0;
    int64_t first = 0;
    (void)streams;
    for (int64_t last = n; last - first > 1;) {
        const int64_t middle = (first + last) / 2;
        if (starts[middle] <= from) first = middle;
        else last = middle;
    }
    for (int64_t j = first; j < n && starts[j] < to; j++) {
        const int64_t begin = from > starts[j] ? from - starts[j] : 0;
        const int64_t size = (to - starts[j] < sizes[j] ? to - starts[j] : sizes[j]) - begin;
        if (size <= 0) continue;
        const ROW *row = all->rows + all->which_row[j];
@POINTERS@
        const double *c = row->c;
        const int which = which_loop(c);
        (void)which;
        RUN(plain, size);
    }
}

/* Steps n tensors in place, and their numbers; `table` holds their p, g and states, n pointers each, `starts` where each begins
   in the range of all elements, `streams` the source of its random bits, `at` (double where `wide`) its numbers; every gradient
   is multiplied by `scale`. `which_row` and `rows` are room for n of each. */
void slalom_tensors(int64_t n, void *const *table, const int64_t *sizes, const int64_t *starts, void *const *at,
                    const uint8_t *wide, const uint64_t *streams, int64_t *which_row, ROW *rows, const double *hyper,
                    double scale, int threads, RUNNER *run) {
    /* Every thread has the same number of pieces, and the pieces the same size. */
    const int64_t total = starts[n], each = (total + threads * CHUNK - 1) / (threads * CHUNK), cuts = each ? each * threads : 1;
    const int64_t piece = ((total + cuts - 1) / cuts + @ALIGN@ - 1) / @ALIGN@ * @ALIGN@;
    STEP all = {n, total, piece, table, sizes, starts, which_row, streams, rows, scale};
    read_numbers(n, hyper, at, wide, which_row, rows);
    PIECES(run, cuts, threads, step_piece, &all);
    for (int j = 0; j < NUMBERS; j++)
        for (int64_t i = 0; i < n; i++) {
            const double value = rows[which_row[i]].after[j];
            if (wide[j * n + i]) *(double *)at[j * n + i] = value;
            else *(float *)at[j * n + i] = (float)value;
        }
}
"""


class TensorKernel:
    """The compiled step of one program for one way of storing; compiled when it is made.

    `states`: the matrices' names in the order of the table, of which `places` tells those that are one entry of a window (the
    state, and which of its entries); `scalars`: the states that are one number a tensor; `hypers`: the
    numbers that the step takes. `room`: the bytes it needs a tensor. Raises LanguageError for a rule that does not print as C,
    NoCompilerError and StoreError as `cache.library` does.
    """

    def __init__(self, settings: Settings, storage: Storage) -> None:
        made = program(settings)
        self.places: Mapping[str, tuple[str, int]] = {}
        if made.windowed:
            made, storage = self._apart(made, storage)
        body = c_body(made)
        self.storage = storage
        self.states = state_order(body)
        self.scalars = made.scalar_states
        tape = HostTape(made, [*body.coefficients, *(made.states[name] for name in self.scalars)])
        self.hypers = [name for _, kind, name in tape.inputs if kind == "hyper"]
        names, memory = ["p", "g", *self.states], StoredMemory(storage, tuple(self.places) or tuple(settings.rule.states))
        local = ["p", "g", *(f"s{k}" for k in range(len(self.states)))]
        kinds = [memory.kind(name) for name in names]
        lines = [
            f"{kind} *{x} = ({kind} *)table[{k} * n + j] + begin;" for k, (x, kind) in enumerate(zip(local, kinds, strict=True))
        ]
        if storage.stochastic:
            lines.append(f"const uint64_t key = MIX64(streams[j] + (uint64_t)row->after[0] * {GOLDEN:#x}ULL);")
        places = {
            "POINTERS": "\n".join(" " * 8 + line for line in lines),
            "TAPE": "\n".join(f"    {line}" for line in self._prepare(tape, len(body.coefficients))),
            "NUMBERS": str(1 + len(self.scalars)),
            "ALIGN": str(ALIGN),
        }
        title = f"{settings.rule.name} on tensors: {settings.program!r}"
        frame, dtype = pool.RUNNER + _FRAME + objects.SOURCE, dtype_name(storage.compute)
        self.source = filled(frame, body, dtype, title, ("plain",), memory, **places)
        self.room = 8 * (2 * (1 + len(self.scalars)) + max(1, len(body.coefficients)))
        library = cache.library(self.source, SYMBOLS)
        number, pointer = ctypes.c_int64, ctypes.c_void_p
        self.looks: objects.Looks | None = objects.bound(library)
        self.step = library.slalom_tensors
        self.step.argtypes = [number, *[pointer] * 9, ctypes.c_double, ctypes.c_int, pointer]
        self.step.restype = None

    def _apart(self, made: Program, storage: Storage) -> tuple[Program, Storage]:
        if storage.stochastic:
            raise LanguageError(f"rule {made.name}: random bits are not numbered for the entries of a window")
        apart = unrolled(made)
        stored = dict(storage.states)
        self.places = apart.places
        return apart, storage._replace(states=tuple((k, stored[apart.places.get(k, (k, 0))[0]]) for k in apart.element_states))

    def _prepare(self, tape: HostTape, coefficients: int) -> list[str]:
        def source(kind: str, name: str) -> str:
            if kind == "hyper":
                return f"hyper[{self.hypers.index(name)}]"
            return "t" if kind == "step" else f"row->told[{1 + self.scalars.index(name)}]"

        lines, outputs = tape_lines(tape, source)
        lines = ["const double t = row->told[0] + 1;", *lines, "row->after[0] = t;"]
        lines += [f"row->c[{k}] = {name};" for k, name in enumerate(outputs[:coefficients])]
        return lines + [f"row->after[{1 + k}] = {name};" for k, name in enumerate(outputs[coefficients:])]


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
