"""The sum of squares of many tensors in one read pass, in double: the same bits for any number of threads."""

from __future__ import annotations

import ctypes
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from slalom.engines.kernels import cache, pool
from slalom.engines.kernels.source import CHUNK, squares_source
from slalom.engines.kernels.storage import C_TYPE, CONVERT

_UNIT = r"""/* sums of squares of tensors */
#include <stdint.h>
typedef double T;
@CONVERT@
@RUNNER@
@FUNCTIONS@
typedef struct {
    int64_t n;
    void *const *at;
    const int64_t *sizes, *first;
    double *partial;
} SUMS;
/* `partial[i]` becomes the sum over chunk i; `first` holds the number of each tensor's first chunk. */
#define TENSORS(name) \
static void chunk_##name(void *given, int64_t task) { \
    const SUMS *s = given; \
    int64_t j = 0; \
    for (int64_t last = s->n; last - j > 1;) { \
        const int64_t middle = (j + last) / 2; \
        if (s->first[middle] <= task) j = middle; else last = middle; \
    } \
    const int64_t from = (task - s->first[j]) * @CHUNK@, left = s->sizes[j] - from; \
    s->partial[task] = squares_##name(left < @CHUNK@ ? left : @CHUNK@, (const TYPE_##name *)s->at[j] + from); \
} \
void slalom_squares_##name(int64_t n, void *const *at, const int64_t *sizes, const int64_t *first, double *partial, \
                           int threads, RUNNER *run) { \
    SUMS s = {n, at, sizes, first, partial}; \
    PIECES(run, first[n], threads, chunk_##name, &s); \
}
@TENSORS@
"""


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    functions = [
        f"#define TYPE_{name} {kind}\n{squares_source(f'squares_{name}', kind, f'LOAD_{name}')}" for name, kind in C_TYPE.items()
    ]
    source = _UNIT
    for key, value in {
        "CONVERT": CONVERT,
        "RUNNER": pool.RUNNER,
        "FUNCTIONS": "\n".join(functions),
        "CHUNK": str(CHUNK),
        "TENSORS": "\n".join(f"TENSORS({name})" for name in C_TYPE),
    }.items():
        source = source.replace(f"@{key}@", value)
    return cache.library(source, tuple(f"slalom_squares_{name}" for name in C_TYPE))


def sum_of_squares(pointers: NDArray[np.int64], sizes: NDArray[np.int64], stored: str, threads: int) -> float:
    """Over tensors at these addresses, of so many elements each, stored so ("float32", "bfloat16", ...)."""
    first = np.zeros(sizes.size + 1, np.int64)
    np.cumsum(-(-sizes // CHUNK), out=first[1:])
    partial = np.empty(int(first[-1]))
    pointers = np.ascontiguousarray(pointers)
    call = getattr(_library(), f"slalom_squares_{stored}")
    call(
        ctypes.c_int64(sizes.size), ctypes.c_void_p(pointers.ctypes.data), ctypes.c_void_p(sizes.ctypes.data),
        ctypes.c_void_p(first.ctypes.data), ctypes.c_void_p(partial.ctypes.data), ctypes.c_int(threads),
        ctypes.c_void_p(pool.runner(threads, int(sizes.sum()))),
    )  # fmt: skip
    return float(partial.sum())
