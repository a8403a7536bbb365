"""The CUDA source of a program's step on rows of a matrix: one row a lane, one row of coefficients each.

What `slalom.engines.kernels.source` does for the processor, a row as a transaction: three kernels in stream order, one block a
chunk of a row, nothing on the host in between.

- `slalom_lane_squares`: of each chunk the sum of squared gradients, and whether all of them are finite;
- `slalom_lane_check`: whether the new parameters would be finite (rows that may not step are passed over);
- `slalom_lane_store`: steps the rows where all is finite, and tells of each row its squared norm and what became of it.

Everything that changes between the replays of a captured graph is read from the device: the place in a block of steps, from
which a row's coefficients follow, which lanes are run, and which of them are still alive.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch

from slalom.core.rule import Settings
from slalom.engines.kernels.cuda.prelude import PRELUDE, prelude
from slalom.engines.kernels.report import BAD_GRADIENT, BAD_PARAMETER, SKIPPED, UPDATED
from slalom.engines.kernels.source import state_order
from slalom.engines.printers.c import c_body, state_name
from slalom.engines.printers.tree import program

LANE_KERNELS = ("slalom_lane_squares", "slalom_lane_check", "slalom_lane_store")

# What a launch is told, each a 64-bit word. Rows k = 0..rows-1 of this call: of gradients, losses, partial sums and reports row
# first + k; of parameters, clips and `live` row lane = which[first + k]; of states and coefficients row lane - start.
FIELDS = (
    "rows", "chunks", "width", "first", "start", "count", "p_stride", "g_stride",  # numbers
    "place", "which", "p", "g", "coefficients", "clip", "live", "loss", "partial", "bad_g", "bad_p", "squares",
    "status",  # addresses
)  # fmt: skip

_FRAME = (
    PRELUDE
    + r"""
#define NSTATES @NSTATES@
#define LARGEST @LARGEST@
enum { UPDATED = @UPDATED@, SKIPPED = @SKIPPED@, BAD_GRADIENT = @BAD_GRADIENT@, BAD_PARAMETER = @BAD_PARAMETER@ };
struct Rows { word @FIELDS@; word states[NSTATES], strides[NSTATES]; };

INLINE word row_of(const Rows &a) { return a.first + blockIdx.x / (unsigned)a.chunks; }
INLINE int chunk_of(const Rows &a) { return (int)(blockIdx.x % (unsigned)a.chunks); }
INLINE int size_of(const Rows &a, int chunk) {
    const word left = a.width - (word)chunk * CHUNK;
    return left < CHUNK ? (int)left : CHUNK;
}

KERNEL slalom_lane_squares(const Rows a) {
    __shared__ double part[BLOCK];
    const word k = row_of(a);
    const int chunk = chunk_of(a), size = size_of(a, chunk);
    const T *g = (const T *)a.g + k * a.g_stride + (word)chunk * CHUNK;
    double sum = 0;
    int bad = 0;
    for (int i = (int)threadIdx.x; i < size; i += BLOCK) {
        sum += (double)g[i] * (double)g[i];
        bad |= !(FABS(g[i]) <= LARGEST);
    }
    sum = block_sum(sum, part);
    __syncthreads();
    const double faults = block_sum((double)bad, part);
    if (threadIdx.x == 0) {
        ((double *)a.partial)[k * a.chunks + chunk] = sum;
        ((unsigned char *)a.bad_g)[k * a.chunks + chunk] = faults != 0;
    }
}

/* The sum over a row's chunks, and what is to become of the row as far as its loss and gradient tell. */
INLINE int verdict(const Rows &a, word k, word lane, double *squares, double *part) {
    double sum = 0, faults = 0;
    for (word i = threadIdx.x; i < a.chunks; i += BLOCK) {
        sum += ((const double *)a.partial)[k * a.chunks + i];
        faults += ((const unsigned char *)a.bad_g)[k * a.chunks + i];
    }
    *squares = block_sum(sum, part);
    __syncthreads();
    faults = block_sum(faults, part);
    if (!((const unsigned char *)a.live)[lane] || (a.loss && !(FABS(((const T *)a.loss)[k]) <= LARGEST))) return SKIPPED;
    return faults != 0 ? BAD_GRADIENT : UPDATED;
}

INLINE T clipped(const Rows &a, word lane, double squares) { /* what the gradient is multiplied by */
    const double clip = a.clip ? ((const double *)a.clip)[lane] : 0, share = clip / (sqrt(squares) + 1e-6);
    return a.clip && share < 1 ? (T)share : ONE;
}

/* A chunk's new values; returns whether one of the parameters is not finite. */
template <bool STORE> INLINE int chunk_step(const Rows &a, word k, word lane, int chunk, T factor) {
    const word place = a.place ? *(const word *)a.place : 0, own = lane - a.start;
    const double *c = (const double *)a.coefficients + (place * a.count + own) * NCOEF;
    const word begin = (word)chunk * CHUNK;
    const int size = size_of(a, chunk);
    T *p = (T *)a.p + lane * a.p_stride + begin;
    const T *g = (const T *)a.g + k * a.g_stride + begin;
@POINTERS@
    (void)c;
    int bad = 0;
    for (int i = (int)threadIdx.x; i < size; i += BLOCK) {
        const T p_0 = p[i], g_0 = g[i] * factor;
@READS@
@BODY@
        bad |= !(FABS(@NEW_P@) <= LARGEST);
        if (STORE) {
@STORES@
        }
    }
    return bad;
}

KERNEL slalom_lane_check(const Rows a) {
    __shared__ double part[BLOCK];
    const word k = row_of(a), lane = ((const word *)a.which)[k];
    const int chunk = chunk_of(a);
    double squares;
    const int told = verdict(a, k, lane, &squares, part);
    if (told != UPDATED) return; /* all of the block's threads */
    __syncthreads();
    const double faults = block_sum((double)chunk_step<false>(a, k, lane, chunk, clipped(a, lane, squares)), part);
    if (threadIdx.x == 0) ((unsigned char *)a.bad_p)[k * a.chunks + chunk] = faults != 0;
}

KERNEL slalom_lane_store(const Rows a) {
    __shared__ double part[BLOCK];
    const word k = row_of(a), lane = ((const word *)a.which)[k];
    const int chunk = chunk_of(a);
    double squares, faults = 0;
    int told = verdict(a, k, lane, &squares, part);
    if (told == UPDATED) {
        for (word i = threadIdx.x; i < a.chunks; i += BLOCK) faults += ((const unsigned char *)a.bad_p)[k * a.chunks + i];
        __syncthreads();
        if (block_sum(faults, part) != 0) told = BAD_PARAMETER;
    }
    if (told == UPDATED) chunk_step<true>(a, k, lane, chunk, clipped(a, lane, squares));
    if (chunk == 0 && threadIdx.x == 0) {
        ((double *)a.squares)[k] = squares;
        ((unsigned char *)a.status)[k] = (unsigned char)told;
    }
}
"""
)
_LARGEST = {torch.float32: "3.402823466385288598e+38f", torch.float64: "1.7976931348623157e+308"}


@dataclass(frozen=True)
class LaneSource:
    """A translation unit; `states` in the order of the table, and how many numbers a row of coefficients has."""

    text: str
    states: list[str]
    coefficients: int


def rows_type(states: int) -> type[ctypes.Structure]:
    """The struct `Rows` for a program with so many states."""
    fields = [*((name, ctypes.c_uint64) for name in FIELDS), *((k, ctypes.c_uint64 * states) for k in ("states", "strides"))]
    return type("Rows", (ctypes.Structure,), {"_fields_": fields})


def lane_source(settings: Settings, dtype: torch.dtype) -> LaneSource:
    """The source of these settings' program for lanes of a dtype. Raises LanguageError for a rule with a windowed state."""
    body = c_body(program(settings))
    states = state_order(body)
    places = {name: f"s{states.index(name)}" for name in states}
    values = {"p": "p[i]", **{name: f"{places[name]}[i]" for name in states}}
    pointers = [f"T *s{k} = (T *)a.states[{k}] + own * a.strides[{k}] + begin;" for k in range(len(states))]
    pointers += [f"const T c{k} = (T)c[{k}];" for k in range(len(body.coefficients))]
    text = _FRAME
    for key, value in {
        **prelude(body, dtype),
        "NSTATES": str(max(1, len(states))), "LARGEST": _LARGEST[dtype], "FIELDS": ", ".join(FIELDS),
        "UPDATED": str(UPDATED), "SKIPPED": str(SKIPPED), "BAD_GRADIENT": str(BAD_GRADIENT), "BAD_PARAMETER": str(BAD_PARAMETER),
        "POINTERS": _lines(pointers, 4),
        "READS": _lines([f"const T {state_name(name)} = {values[name]};" for name in body.reads], 8),
        "BODY": _lines(body.statements, 8),
        "NEW_P": body.outputs["p"],
        "STORES": _lines([f"{values[name]} = {value};" for name, value in body.outputs.items()], 12),
    }.items():  # fmt: skip
        text = text.replace(f"@{key}@", value)
    title = f"lanes of {settings.rule.name}: {settings.program!r}".replace("*/", "* /")
    return LaneSource(f"/* {title} */{text}", states, max(1, len(body.coefficients)))


def _lines(lines: list[str], by: int) -> str:
    return "\n".join(" " * by + line for line in lines)
