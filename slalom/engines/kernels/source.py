"""The C source of a program's lane kernel: a fixed frame around the printed loop body.

Every row (lane) is worked on alone and in a fixed order, so its numbers do not depend on which other rows are present
or on the number of threads. Floating point is plain IEEE: no contraction into fused multiply-adds, no reassociation,
denormals as they are (flush-to-zero is the caller's thread setting, never changed here).

A row is a transaction: its gradient is summed and checked first, and new values that are not finite leave no trace.
Rows whose old values fit in cache are stepped in place while the old values go to a log, from which a bad row is put
back, bit for bit; longer rows are worked on in chunks, twice: once to check, once to store. (Measured for Adam, 297
lanes of 9000 parameters: log 1.35 ms, new values into a scratch row that is then copied 1.65 ms, twice 2.1 ms.)
"""

from __future__ import annotations

from collections.abc import Sequence

from slalom.engines.kernels.storage import Memory
from slalom.engines.printers.c import CBody, power_text, state_name
from slalom.engines.printers.words import MATH, WORDS

CHUNK = 16384  # elements; sums of squares are taken chunk by chunk whatever the path, so both paths agree bit for bit
LOG_BYTES = 512 * 1024  # old values of one row that are still worth a log: half of a usual L2 cache

PRELUDE = r"""
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#define THREAD omp_get_thread_num()
#else
#define THREAD 0
#endif

@TYPES@
#define INLINE static inline
#define CHUNK @CHUNK@
#define NCOEF @NCOEF@

@WORDS@
@PASSES@

/* Which loop serves a row of coefficients: the number of the set of exponents that it has, or the general one. */
static inline int which_loop(const double *c) {
    (void)c;
@CASES@
}

#define ARGS @ARGS@
#define RUN(name, n) @RUN@
"""

_SQUARES = r"""
/* Sum of squares in double, sixteen partial sums in a fixed order. */
static double @NAME@(int64_t n, const @KIND@ *restrict x) {
    double part[16] = {0};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 16; k++) part[k] += (double)@LOAD@(x[i + k]) * (double)@LOAD@(x[i + k]);
    for (int k = 0; i < n; i++, k++) part[k] += (double)@LOAD@(x[i]) * (double)@LOAD@(x[i]);
    for (int width = 8; width; width /= 2)
        for (int k = 0; k < width; k++) part[k] += part[k + width];
    return part[0];
}
"""

_FRAME = r"""
#define NSTATES @NSTATES@
enum { UPDATED = 0, SKIPPED = 1, BAD_GRADIENT = 2, BAD_PARAMETER = 3 };
@SQUARES@
static double sum_squares(int64_t n, const T *restrict x, int *finite) {
    const double sum = square_sum(n, x);
    *finite = 1;
    if (!(sum <= DBL_MAX)) /* rare: NaN, infinity, or squares beyond double's range */
        for (int64_t i = 0; i < n; i++) *finite &= FABS(x[i]) <= LARGEST;
    return sum;
}

static double row_squares(int64_t n, const T *x, int *finite) {
    double total = 0;
    *finite = 1;
    for (int64_t i = 0; i < n; i += CHUNK) {
        int ok;
        total += sum_squares(n - i < CHUNK ? n - i : CHUNK, x + i, &ok);
        *finite &= ok;
    }
    return total;
}

static T gradient_factor(double squares, double scale, double clip) {
    double f = scale;
    if (clip < INFINITY) {
        const double share = clip / (fabs(scale) * sqrt(squares) + 1e-6);
        if (share < 1) f *= share;
    }
    return (T)f;
}

void slalom_norms(int64_t n, const int64_t *rows, int64_t D, const T *G, int64_t g_stride, double *squares,
                  uint8_t *finite, int threads) {
    (void)threads;
    #pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (int64_t k = 0; k < n; k++) {
        int ok;
        squares[k] = row_squares(D, G + rows[k] * g_stride, &ok);
        finite[k] = (uint8_t)ok;
    }
}

static void small_rows(int64_t n, const int64_t *rows, const int64_t *state_rows, int64_t D, T *P, int64_t p_stride,
                       const T *G, int64_t g_stride, T *const *S, const int64_t *s_strides, const double *coef,
                       const double *scale, const double *clip, const uint8_t *skip, double *squares,
                       uint8_t *status, int threads, T *workspace) {
    (void)state_rows; (void)S; (void)s_strides; (void)coef; (void)threads;
    const int batch = D < CHUNK ? (int)(CHUNK / (D + 1)) + 1 : 1;
    #pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic, batch)
    for (int64_t k = 0; k < n; k++) {
        int finite;
        T *p = P + rows[k] * p_stride;
        const T *g = G + rows[k] * g_stride;
        squares[k] = row_squares(D, g, &finite);
        if (skip && skip[k]) { status[k] = SKIPPED; continue; }
        if (!finite) { status[k] = BAD_GRADIENT; continue; }
        const double *c = coef + k * NCOEF;
        const int which = which_loop(c);
        (void)which;
        const T factor = gradient_factor(squares[k], scale ? scale[k] : 1.0, clip ? clip[k] : INFINITY);
        T *log = workspace + (int64_t)THREAD * (1 + NSTATES) * D;
@ROW_POINTERS@
        status[k] = UPDATED;
        if (RUN(logged, D)) {
            status[k] = BAD_PARAMETER;
@RESTORE@
        }
    }
}

static void long_rows(int64_t n, const int64_t *rows, const int64_t *state_rows, int64_t D, T *P, int64_t p_stride,
                      const T *G, int64_t g_stride, T *const *S, const int64_t *s_strides, const double *coef,
                      const double *scale, const double *clip, const uint8_t *skip, double *squares,
                      uint8_t *status, int threads, double *partial, uint8_t *ok) {
    (void)state_rows; (void)S; (void)s_strides; (void)coef; (void)threads;
    const int64_t chunks = (D + CHUNK - 1) / CHUNK;
    #pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (int64_t task = 0; task < n * chunks; task++) {
        const int64_t k = task / chunks, at = task % chunks * CHUNK, size = D - at < CHUNK ? D - at : CHUNK;
        int finite;
        partial[task] = sum_squares(size, G + rows[k] * g_stride + at, &finite);
        ok[task] = (uint8_t)finite;
    }
    for (int64_t k = 0; k < n; k++) {
        squares[k] = 0;
        status[k] = UPDATED;
        for (int64_t j = k * chunks; j < (k + 1) * chunks; j++) {
            squares[k] += partial[j];
            if (!ok[j]) status[k] = BAD_GRADIENT;
        }
        if (skip && skip[k]) status[k] = SKIPPED;
    }
    for (int store = 0; store < 2; store++) {
        #pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
        for (int64_t task = 0; task < n * chunks; task++) {
            const int64_t k = task / chunks, at = task % chunks * CHUNK, size = D - at < CHUNK ? D - at : CHUNK;
            if (status[k] != UPDATED) continue;
            T *p = P + rows[k] * p_stride + at;
            const T *g = G + rows[k] * g_stride + at;
            const double *c = coef + k * NCOEF;
            const int which = which_loop(c);
        (void)which;
            const T factor = gradient_factor(squares[k], scale ? scale[k] : 1.0, clip ? clip[k] : INFINITY);
            T *log = 0;
@CHUNK_POINTERS@
            if (store) RUN(store, size);
            else ok[task] = (uint8_t)!RUN(check, size);
        }
        if (!store)
            for (int64_t task = 0; task < n * chunks; task++)
                if (status[task / chunks] == UPDATED && !ok[task]) status[task / chunks] = BAD_PARAMETER;
    }
}

void slalom_step(int64_t n, const int64_t *rows, const int64_t *state_rows, int64_t D, T *P, int64_t p_stride,
                 const T *G, int64_t g_stride, T *const *S, const int64_t *s_strides, const double *coef,
                 const double *scale, const double *clip, const uint8_t *skip, double *squares, uint8_t *status,
                 int threads, T *workspace, double *partial, uint8_t *ok) {
    if (workspace)
        small_rows(n, rows, state_rows, D, P, p_stride, G, g_stride, S, s_strides, coef, scale, clip, skip, squares,
                   status, threads, workspace);
    else
        long_rows(n, rows, state_rows, D, P, p_stride, G, g_stride, S, s_strides, coef, scale, clip, skip, squares,
                  status, threads, partial, ok);
}
"""

_TYPES = {
    "float32": "typedef float T;\ntypedef int32_t BITS;\n#define LARGEST FLT_MAX\n" + MATH["float32"],
    "float64": "typedef double T;\ntypedef int64_t BITS;\n#define LARGEST DBL_MAX\n" + MATH["float64"],
}


def squares_source(name: str, kind: str, load: str) -> str:
    """The C function `name` that sums the squares of numbers of a C type, each read by the macro `load`."""
    return _SQUARES.replace("@NAME@", name).replace("@KIND@", kind).replace("@LOAD@", load)


def state_order(body: CBody) -> list[str]:
    """The states that the code reads or writes, in the order of its table of pointers."""
    return list(dict.fromkeys([*body.reads, *(k for k in body.outputs if k != "p")]))


def filled(frame: str, body: CBody, dtype: str, title: str, kinds: Sequence[str], memory: Memory, **more: str) -> str:
    """A translation unit: the prelude with the loops of these kinds, then the frame that calls them through RUN.

    `title` goes into a comment; `more` fills the frame's own places. Every kind has one loop for each easy set of exponents.
    """
    states = state_order(body)
    changed = [k for k in body.outputs if k != "p"]
    passes = [memory.prelude, "#define ONE ((T)1)"]
    cases, run = [], ""
    for j, exponents in enumerate([*body.easy, None]):
        for k, e in zip(body.powers, exponents or body.powers, strict=True):
            text = "POW(x, e)" if exponents is None else power_text("(x)", e)
            passes.append(f"#undef POWER_{k}\n#define POWER_{k}(x, e) {text}")
        passes += [_pass(f"{kind}_{j}", kind, body, states, changed, memory) for kind in kinds]
        call = f"name##_{j}(n, c, factor, ARGS)"
        run += call if exponents is None else f"which == {j} ? {call} : "
        same = [f"(T)c[{k}] == (T){e!r}" for k, e in zip(body.powers, exponents or (), strict=False)]
        cases.append(f"    if ({' && '.join(same)}) return {j};" if exponents else f"    return {j};")
    made = PRELUDE + frame
    for key, value in {
        "TYPES": _TYPES[dtype],
        "WORDS": WORDS,
        "CHUNK": str(CHUNK),
        "NCOEF": str(max(1, len(body.coefficients))),
        "PASSES": "\n".join(passes),
        "CASES": "\n".join(cases),
        "ARGS": ", ".join(["p", "g", *(f"s{k}" for k in range(len(states))), "log", "D"]) + memory.arguments,
        "RUN": f"({run})",
        **more,
    }.items():
        made = made.replace(f"@{key}@", value)
    safe = title.replace("*/", "* /")
    return f"/* {safe} */{made}"


def lane_source(body: CBody, dtype: str, title: str) -> str:
    """The lane kernel's translation unit for a body and a dtype ("float32" or "float64")."""
    states = state_order(body)
    changed = [k for k in body.outputs if k != "p"]
    pointers = [f"T *s{k} = S[{k}] + state_rows[k] * s_strides[{k}]" for k in range(len(states))]
    restore = ["memcpy(p, log, (size_t)D * sizeof(T));"]
    restore += [f"memcpy(s{states.index(name)}, log + {1 + j} * D, (size_t)D * sizeof(T));" for j, name in enumerate(changed)]
    places = {
        "SQUARES": squares_source("square_sum", "T", ""),
        "NSTATES": str(len(changed)),
        "ROW_POINTERS": "\n".join(" " * 8 + line + ";" for line in pointers),
        "CHUNK_POINTERS": "\n".join(" " * 12 + line + " + at;" for line in pointers),
        "RESTORE": "\n".join(" " * 12 + line for line in restore),
    }
    return filled(_FRAME, body, dtype, title, ("logged", "check", "store"), Memory(), **places)


def _pass(name: str, kind: str, body: CBody, states: list[str], changed: list[str], memory: Memory) -> str:
    """One loop over n elements; returns non-zero where a new parameter is not finite.

    `logged` writes in place and old values to the log, `check` writes nothing, `store` writes in place; `plain` does too,
    and looks at nothing.
    """
    const = "const " if kind == "check" else ""
    arguments = [f"{const}{memory.kind('p')} *restrict p", f"const {memory.kind('g')} *restrict g"]
    arguments += [f"{const}{memory.kind(state)} *restrict s{k}" for k, state in enumerate(states)]
    given = f"int64_t n, const double *c, T factor, {', '.join(arguments)}, T *log, int64_t D{memory.parameters}"
    lines = [f"static int {name}({given}) {{", "    (void)c; (void)log; (void)D;"]
    lines += [f"    const T c{k} = (T)c[{k}];" for k in range(len(body.coefficients))]
    targets = {"p": "p[i]"} | {k: f"s{states.index(k)}[i]" for k in changed}
    before, inside = memory.setup(changed)
    lines += [f"    {line}" for line in before]
    if kind == "logged":
        lines += [f"    T *restrict old{j} = log + {j} * D;" for j in range(1 + len(changed))]
    if kind != "plain":
        lines.append("    BITS bad = 0;")
    lines.append("    for (int64_t i = 0; i < n; i++) {")
    lines += [f"        {line}" for line in inside]
    lines.append(f"        const T p_0 = {memory.load('p', 'p[i]')}, g_0 = {memory.load('g', 'g[i]')} * factor;")
    lines += [f"        const T {state_name(k)} = {memory.load(k, f's{states.index(k)}[i]')};" for k in body.reads]
    lines += [f"        {statement}" for statement in body.statements]
    if kind != "plain":
        lines.append(f"        bad |= !(FABS({body.outputs['p']}) <= LARGEST);")
    if kind == "logged":
        lines += [f"        old{j}[i] = {place};" for j, place in enumerate(targets.values())]
    if kind != "check":
        lines += [f"        {targets[k]} = {memory.store(k, value)};" for k, value in body.outputs.items()]
    return "\n".join([*lines, "    }", f"    return {0 if kind == 'plain' else 'bad != 0'};", "}"])
