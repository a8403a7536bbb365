"""The CUDA source of a program's step on separate tensors: the printed loop body and tape in a fixed frame.

Three kernels a step at most, in stream order, nothing on the host in between:

- `slalom_squares` (only when clipping): sums of squared gradients, one a block, always in the same order;
- `slalom_prepare`: one thread a tensor reads its count and scalar states, computes its row of coefficients from the
  hypers in double, and advances the count; the first also notes the factor on the gradient;
- `slalom_step`: one block a chunk steps its elements.

`slalom_fill` writes words (addresses) that travel as its arguments, which the driver copies at the launch: an upload that
needs no host memory kept alive, waits for nothing, and can be captured into a graph.

Arithmetic is in float for float, bfloat16 and half, in double for double, and like the CPU's: no fused multiply-add (the
compiler's flag), correctly rounded division and root; numbers differ from the CPU's in `pow` and `exp` alone.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch

from slalom.core.rule import Settings
from slalom.engines.kernels.cuda.prelude import BLOCK, CHUNK, PRELUDE, REAL, prelude
from slalom.engines.kernels.source import state_order
from slalom.engines.kernels.storage import GOLDEN, HASH, Storage, StoredMemory
from slalom.engines.printers.c import CBody, c_body, state_name
from slalom.engines.printers.host import HostTape
from slalom.engines.printers.tape import tape_lines
from slalom.engines.printers.tree import program

FILL = 480  # words of one fill: with the rest within the 4096 bytes of arguments that every driver takes
MOST_SUMS = 1024  # blocks of slalom_squares, whatever the device, so that the sum is the same on all
__all__ = ["BLOCK", "CHUNK", "FILL", "KERNELS", "MOST_SUMS", "TYPE", "CudaSource", "Words", "cuda_source", "hypers_type"]
KERNELS = ("slalom_fill", "slalom_squares", "slalom_prepare", "slalom_step")
TYPE = {**REAL, torch.bfloat16: "bfloat", torch.float16: "half"}

_FRAME = (
    PRELUDE
    + r"""
#define FILL @FILL@
#define NHYPER @NHYPER@
#define NNUMBER @NNUMBER@
#define W @W@

struct bfloat { unsigned short bits; };
struct half { unsigned short bits; };
typedef @GRADIENT@ G;
template <class X> struct alignas(sizeof(X) * W) Pack { X x[W]; };
struct Words { word x[FILL]; };
struct Hypers { double value[NHYPER]; word at[NHYPER]; word wide[NHYPER]; };

#ifndef SLALOM_EMULATED
INLINE float half_to_float(unsigned short x) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x)); return y; }
INLINE unsigned short float_to_half(float x) {
    unsigned short y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
}
#endif
INLINE T get(float x) { return (T)x; }
INLINE T get(double x) { return (T)x; }
INLINE T get(bfloat x) { return (T)__uint_as_float((unsigned)x.bits << 16); }
INLINE T get(half x) { return (T)half_to_float(x.bits); }
INLINE void put(float &to, T x) { to = (float)x; }
INLINE void put(double &to, T x) { to = (double)x; }
INLINE void put(half &to, T x) { to.bits = float_to_half((float)x); }
INLINE void put(bfloat &to, T x) { /* to nearest, ties to even, as torch */
    const unsigned bits = __float_as_uint((float)x);
    to.bits = x != x ? 0x7fc0 : (unsigned short)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

#define uint32_t unsigned
#define uint64_t unsigned long long
@HASH@
/* Stochastic rounding to bfloat16: random bits below those that are kept, then a cut; still as T, which put then keeps. */
INLINE T CHANCE(T x, uint32_t bits) {
    const unsigned word = __float_as_uint((float)x);
    const bool finite = (word & 0x7f800000) != 0x7f800000;
    return finite ? (T)__uint_as_float((word + (bits & 0xffff)) & 0xffff0000) : x;
}

/* W numbers from base on; those beyond size are 0. WHOLE: all are there, and aligned. */
template <bool WHOLE, class X> INLINE void load(T (&to)[W], const X *from, int base, int size) {
    if (WHOLE) {
        const Pack<X> pack = *(const Pack<X> *)(from + base);
        #pragma unroll
        for (int k = 0; k < W; k++) to[k] = get(pack.x[k]);
    } else {
        #pragma unroll
        for (int k = 0; k < W; k++) to[k] = base + k < size ? get(from[base + k]) : (T)0;
    }
}
template <bool WHOLE, class X> INLINE void store(X *to, const T (&from)[W], int base, int size) {
    if (WHOLE) {
        Pack<X> pack;
        #pragma unroll
        for (int k = 0; k < W; k++) put(pack.x[k], from[k]);
        *(Pack<X> *)(to + base) = pack;
    } else {
        #pragma unroll
        for (int k = 0; k < W; k++) if (base + k < size) put(to[base + k], from[k]);
    }
}
template <class X> INLINE bool aligned(const X *at) { return (word)at % sizeof(Pack<X>) == 0; }
INLINE int size_of(word all, word begin) { return all - begin < CHUNK ? (int)(all - begin) : CHUNK; }
static __device__ __noinline__ double POWER(double x, double y) { return pow(x, y); } /* long: one copy is enough */
INLINE double number(word at, int wide) { return wide ? *(const double *)at : (double)*(const float *)at; }
INLINE double hyper(const Hypers &h, int k) { return h.at[k] ? number(h.at[k], (int)h.wide[k]) : h.value[k]; }

KERNEL slalom_fill(word *to, int n, const Words words) {
    for (int i = (int)threadIdx.x; i < n; i += BLOCK) to[i] = words.x[i];
}

KERNEL slalom_squares(int chunks, const int *which, const word *from, const word *sizes, const word *grads, double *sums) {
    __shared__ double part[BLOCK];
    double sum = 0;
    for (int chunk = (int)blockIdx.x; chunk < chunks; chunk += (int)gridDim.x) {
        const int j = which[chunk], size = size_of(sizes[j], from[chunk]);
        const G *g = (const G *)grads[j] + from[chunk];
        const bool fast = aligned(g);
        for (int base = (int)threadIdx.x * W; base < size; base += BLOCK * W) {
            T x[W];
            if (fast && base + W <= size) load<true>(x, g, base, size);
            else load<false>(x, g, base, size);
            #pragma unroll
            for (int k = 0; k < W; k++) sum += (double)x[k] * (double)x[k];
        }
    }
    sum = block_sum(sum, part);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

/* `table`: n addresses of each of p, the states, the count and the scalar states; `numbers` where its counts begin.
   `info`: the factor on every gradient, and the norm of all of them after unscaling (0 when it was not asked for). */
KERNEL slalom_prepare(int n, const word *numbers, const unsigned char *wide, const Hypers h, double sign, const float *grad_scale,
                      const float *found_inf, int sums, const double *squares, double clip, T *coef, double *info) {
    __shared__ double part[BLOCK];
    double factor = grad_scale ? sign / (double)*grad_scale : sign, norm = 0;
    if (squares) {
        double sum = 0;
        for (int i = (int)threadIdx.x; i < sums; i += BLOCK) sum += squares[i];
        norm = fabs(factor) * sqrt(block_sum(sum, part));
        const double share = clip / (norm + 1e-6);
        if (norm != norm || share < 1) factor *= share; /* a NaN goes on, as in torch */
    }
    const int j = (int)(blockIdx.x * BLOCK + threadIdx.x);
    if (j == 0) { info[0] = factor; info[1] = norm; }
    if (j >= n || (found_inf && *found_inf != 0)) return;
@TAPE@
}

/* Steps W elements from base on. */
template <bool WHOLE> INLINE void elements(@ARGUMENTS@, int base, int size) {
@LOADS@
    #pragma unroll
    for (int k = 0; k < W; k++) {
        const T p_0 = p_[k], g_0 = g_[k] * factor;
@BODY@
    }
@STORES@
}

KERNEL slalom_step(int n, const int *which, const word *from, const word *sizes, const word *table, const word *grads,
                   const word *numbers, const unsigned char *wide, const word *streams, const T *coef, const double *info,
                   const float *found_inf) {
    if (found_inf && *found_inf != 0) return;
    const int j = which[blockIdx.x];
    const word begin = from[blockIdx.x];
    const int size = size_of(sizes[j], begin);
    const T factor = (T)info[0];
@POINTERS@
    int base = (int)threadIdx.x * W;
    if (@ALIGNED@)
        for (; base + W <= size; base += BLOCK * W) elements<true>(@GIVEN@, base, size);
    for (; base < size; base += BLOCK * W) elements<false>(@GIVEN@, base, size);
}
"""
)


@dataclass(frozen=True)
class CudaSource:
    """A translation unit, and what a caller must know of it: states in the order of the table, hypers in that of `Hypers`."""

    text: str
    states: list[str]
    scalars: list[str]
    hypers: list[str]
    coefficients: int
    compute: torch.dtype


class Words(ctypes.Structure):
    """The argument of slalom_fill."""

    _fields_ = [("x", ctypes.c_uint64 * FILL)]


def hypers_type(count: int) -> type[ctypes.Structure]:
    """The struct `Hypers` for so many hypers: value, or address and whether a double lies there."""
    fields = [("value", ctypes.c_double * count), ("at", ctypes.c_uint64 * count), ("wide", ctypes.c_uint64 * count)]
    return type("Hypers", (ctypes.Structure,), {"_fields_": fields})


def cuda_source(settings: Settings, storage: Storage) -> CudaSource:
    """The source of these settings' program for one way of storing.

    Raises LanguageError for a rule with a windowed state.
    """
    made = program(settings)
    body = c_body(made)
    tape = HostTape(made, [*body.coefficients, *(made.states[name] for name in made.scalar_states)])
    compute, memory = storage.compute, StoredMemory(storage, tuple(settings.rule.states))
    states, scalars = state_order(body), made.scalar_states
    hypers = [name for _, kind, name in tape.inputs if kind == "hyper"]
    rows = max(1, len(body.coefficients))

    def source(kind: str, name: str) -> str:
        if kind == "hyper":
            return f"hyper(h, {hypers.index(name)})"
        if kind == "step":
            return "t"
        at = f"{1 + scalars.index(name)} * n + j"
        return f"number(numbers[{at}], wide[{at}])"

    lines, outputs = tape_lines(tape, source)
    lines.insert(0, "const double t = number(numbers[j], wide[j]) + 1;")
    lines += [f"coef[j * NCOEF + {k}] = (T){name};" for k, name in enumerate(outputs[: len(body.coefficients)])]
    after = ["t", *outputs[len(body.coefficients) :]]
    for k, name in enumerate(after):
        at = f"{k} * n + j"
        lines.append(f"if (wide[{at}]) *(double *)numbers[{at}] = {name}; else *(float *)numbers[{at}] = (float){name};")
    text = _FRAME
    for key, value in {
        **prelude(body, compute), "FILL": str(FILL), "NHYPER": str(max(1, len(hypers))),
        "NNUMBER": str(1 + len(scalars)), "W": "2" if compute == torch.float64 else "4", "GRADIENT": TYPE[storage.g],
        "TAPE": _indented(lines, 4), "HASH": HASH.replace("static inline", "INLINE"), **_element(body, states, memory),
    }.items():  # fmt: skip
        text = text.replace(f"@{key}@", value)
    title = f"{settings.rule.name}: {settings.program!r}".replace("*/", "* /")
    return CudaSource(f"/* {title} */{text}", states, scalars, hypers, rows, compute)


def _element(body: CBody, states: list[str], memory: StoredMemory) -> dict[str, str]:
    """What the step kernel does with its elements."""
    changed = {name: f"s{states.index(name)}" for name in body.outputs if name != "p"}
    places = [f"s{k}" for k in range(len(states))]
    names, written = ["p", "g", *places], ["p", *changed.values()]
    read = {"p", "g", *(f"s{states.index(name)}" for name in body.reads)}
    coefficients = [f"c{k}" for k in range(len(body.coefficients))]
    kinds = [TYPE[memory.stored[name]] for name in ("p", "g", *states)]
    pointers = [f"{kinds[0]} *p = ({kinds[0]} *)table[j] + begin;", "const G *g = (const G *)grads[j] + begin;"]
    stored = list(zip(kinds[2:], places, strict=True))
    pointers += [f"{kind} *{x} = ({kind} *)table[{1 + k} * n + j] + begin;" for k, (kind, x) in enumerate(stored)]
    pointers += [f"const T {c} = coef[j * NCOEF + {k}];" for k, c in enumerate(coefficients)]
    arguments = [f"{kinds[0]} *p", "const G *g", *(f"{kind} *{x}" for kind, x in stored)]
    arguments += ["T factor", *(f"T {c}" for c in coefficients)]
    inside = [f"const T {state_name(name)} = s{states.index(name)}_[k];" for name in body.reads]
    targets = {"p": "p", **changed}
    before, bits = memory.setup(list(changed))
    inside += body.statements
    for name, place in targets.items():
        value, n = body.outputs[name], memory.number[name]
        chance = f"CHANCE({value}, bits{n // 2} >> {16 * (n % 2)})"
        inside.append(f"{place}_[k] = {chance if memory.by_chance(name) else value};")
    if bits:
        key = f"const uint64_t key = MIX64(streams[j] + (uint64_t)number(numbers[j], wide[j]) * {GOLDEN:#x}ULL);"
        pointers += [key, "const uint32_t place = (uint32_t)begin;"]
        arguments += ["uint64_t key", "uint32_t place"]
        coefficients += ["key", "place"]
        inside = ["const int i = base + k;", *bits, *inside]
    loads = [f"T {x}_[W];" + (f" load<WHOLE>({x}_, {x}, base, size);" if x in read else "") for x in names]
    return {
        "ARGUMENTS": ", ".join(arguments),
        "GIVEN": ", ".join([*names, "factor", *coefficients]),
        "POINTERS": _indented(pointers, 4),
        "ALIGNED": " && ".join(f"aligned({x})" for x in names),
        "LOADS": _indented([*before, *loads], 4),
        "BODY": _indented(inside, 8),
        "STORES": _indented([f"store<WHOLE>({x}, {x}_, base, size);" for x in written], 4),
    }


def _indented(lines: list[str], by: int) -> str:
    return "\n".join(" " * by + line for line in lines)
