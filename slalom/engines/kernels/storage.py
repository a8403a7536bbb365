"""How numbers lie in memory and how they are computed on: 16-bit floats are read as float32 and rounded when stored.

Rounding is to the nearest, ties to even, bit for bit torch's. Stochastic rounding of bfloat16 adds 16 random bits below
the ones that are kept and cuts, so that the mean of what is stored is the number itself. The bits are a hash of
(a key that changes every step, the element's place in its tensor): they depend on no order and no number of threads.
`slalom.engines.rounding` makes the same bits in torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

# The C type a number is stored as, and its name in LOAD_name and STORE_name.
STORED = {torch.float32: "float32", torch.float64: "float64", torch.bfloat16: "bfloat16", torch.float16: "float16"}
C_TYPE = {"float32": "float", "float64": "double", "bfloat16": "uint16_t", "float16": "uint16_t"}
HALVES = (torch.bfloat16, torch.float16)
GOLDEN = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: what splitmix64 counts in


class Storage(NamedTuple):
    """The dtypes of a parameter, its gradient and its states (by name), all real; whether bfloat16 is rounded by chance."""

    p: torch.dtype
    g: torch.dtype
    states: tuple[tuple[str, torch.dtype], ...] = ()
    stochastic: bool = False

    @property
    def compute(self) -> torch.dtype:
        """What is computed in: float64 where the parameter or a state is, else float32."""
        return compute_dtype(self.p, *(dtype for _, dtype in self.states))


def compute_dtype(*stored: torch.dtype) -> torch.dtype:
    """The real dtype in which numbers stored so are computed on."""
    return torch.float64 if torch.float64 in stored or torch.complex128 in stored else torch.float32


HASH = r"""
/* Two rounds of a 32-bit finalizer (Wellons' lowbias32), a key before each. */
static inline uint32_t MIX32(uint32_t x) {
    x ^= x >> 16;
    x *= 0x7feb352dU;
    x ^= x >> 15;
    x *= 0x846ca68bU;
    return x ^ (x >> 16);
}
static inline uint32_t BITS32(uint32_t place, uint64_t key) {
    return MIX32(MIX32(place + (uint32_t)key) + (uint32_t)(key >> 32));
}
/* splitmix64's output function. */
static inline uint64_t MIX64(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}
"""

CONVERT = r"""
typedef union { float f; uint32_t u; } WORD;
#define LOAD_float32(x) ((T)(x))
#define LOAD_float64(x) ((T)(x))
#define STORE_float32(x) ((float)(x))
#define STORE_float64(x) ((double)(x))

static inline float LOAD_bfloat16(uint16_t x) { WORD w = {.u = (uint32_t)x << 16}; return w.f; }
static inline uint16_t STORE_bfloat16(float x) {
    WORD w = {.f = x};
    const uint32_t near = w.u + 0x7fffU + ((w.u >> 16) & 1U);
    return (uint16_t)(x != x ? 0x7fc0U : near >> 16);
}
static inline uint16_t CHANCE_bfloat16(float x, uint32_t bits) {
    WORD w = {.f = x};
    const uint32_t cut = (w.u + (bits & 0xffffU)) >> 16;
    return (uint16_t)(x != x ? 0x7fc0U : (w.u & 0x7f800000U) == 0x7f800000U ? w.u >> 16 : cut);
}

/* Exact both ways without a number below float's normal range, so that flushing such to zero changes nothing here. */
static inline float LOAD_float16(uint16_t x) {
    WORD w = {.u = (uint32_t)(x & 0x7fffU) << 13}, small;
    const uint32_t exponent = w.u & 0x0f800000U;
    w.u += 0x38000000U;
    small.u = w.u + 0x00800000U;
    small.f -= 6.103515625e-05f;
    w.u = exponent == 0x0f800000U ? w.u + 0x38000000U : exponent == 0 ? small.u : w.u;
    w.u |= (uint32_t)(x & 0x8000U) << 16;
    return w.f;
}
static inline uint16_t STORE_float16(float x) {
    WORD w = {.f = x}, small;
    const uint32_t sign = w.u & 0x80000000U;
    w.u ^= sign;
    small.f = w.f + 0.5f;
    const uint32_t big = w.u > 0x7f800000U ? 0x7e00U : 0x7c00U, tiny = small.u - 0x3f000000U;
    const uint32_t usual = (w.u + 0xc8000fffU + ((w.u >> 13) & 1U)) >> 13;
    return (uint16_t)((w.u >= 0x47800000U ? big : w.u < 0x38800000U ? tiny : usual) | (sign >> 16));
}
"""


class Memory:
    """How the printed loops reach their arrays: plainly here, every array an array of T."""

    parameters = arguments = prelude = ""

    def kind(self, name: str) -> str:
        """The C type of the elements of "p", "g" or a state."""
        return "T"

    def load(self, name: str, place: str) -> str:
        """C for the number at a place."""
        return place

    def store(self, name: str, value: str) -> str:
        """C for what is stored for a number."""
        return value

    def setup(self, changed: Sequence[str]) -> tuple[list[str], list[str]]:
        """Statements before the loop and at its beginning, for the arrays that are stored."""
        return [], []


class StoredMemory(Memory):
    """Arrays as a `Storage` says; `order` are all the rule's states, whose places number the random bits."""

    def __init__(self, storage: Storage, order: Sequence[str]) -> None:
        self.stored = {"p": storage.p, "g": storage.g, **dict(storage.states)}
        self.number = {name: k for k, name in enumerate(("p", *order))}
        self.stochastic = storage.stochastic
        plain = all(dtype == storage.compute for dtype in self.stored.values())
        self.prelude = (HASH + CONVERT) if not plain else ""
        if storage.stochastic:
            self.parameters, self.arguments = ", uint32_t place, uint64_t key", ", (uint32_t)begin, key"
        self.plain = plain

    def kind(self, name: str) -> str:
        return C_TYPE[STORED[self.stored[name]]]

    def load(self, name: str, place: str) -> str:
        return place if self.plain else f"LOAD_{STORED[self.stored[name]]}({place})"

    def store(self, name: str, value: str) -> str:
        if self.by_chance(name):
            n = self.number[name]
            return f"CHANCE_bfloat16({value}, bits{n // 2} >> {16 * (n % 2)})"
        return value if self.plain else f"STORE_{STORED[self.stored[name]]}({value})"

    def by_chance(self, name: str) -> bool:
        """Whether this array is rounded by chance."""
        return self.stochastic and self.stored[name] == torch.bfloat16

    def setup(self, changed: Sequence[str]) -> tuple[list[str], list[str]]:
        pairs = sorted({self.number[name] // 2 for name in ("p", *changed) if self.by_chance(name)})
        before = [f"const uint64_t key{k} = MIX64(key + {k} * {GOLDEN:#x}ULL);" for k in pairs]
        return before, [f"const uint32_t bits{k} = BITS32(place + (uint32_t)i, key{k});" for k in pairs]
