"""C that looks at Python objects: where tensors lie, seen for all of them in one call (`slalom.engines.watch`)."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

from slalom.engines.kernels import cache

SYMBOLS = ("slalom_same", "slalom_take")

SOURCE = r"""
/* Called with the interpreter locked: `get` is PyList_GetItem, `next` PyDict_Next, `data` torch's own way from a tensor object
   to its memory. */
typedef void *GET(void *, int64_t);
typedef int NEXT(void *, int64_t *, void **, void **);
typedef void *DATA(void *);

/* Whether each of n dicts holds exactly its part of the tensors `held` (up to `ends`), in order, and params and held lie at
   `expected`. */
int slalom_same(int64_t n, void *cells, void *params, void *held, const int64_t *ends, const int64_t *expected, GET *get,
                NEXT *next, DATA *data) {
    int64_t i = 0;
    for (int64_t j = 0; j < n; j++) {
        void *cell = get(cells, j), *key, *value;
        int64_t place = 0;
        while (next(cell, &place, &key, &value)) {
            if (i >= ends[j] || value != get(held, i)) return 0;
            i++;
        }
        if (i != ends[j] || (int64_t)data(get(params, j)) != expected[j]) return 0;
    }
    for (i = 0; i < ends[n - 1]; i++)
        if ((int64_t)data(get(held, i)) != expected[n + i]) return 0;
    return 1;
}

/* Notes where n gradients of so many bytes lie; whether one touches one of the m pieces from `begin` to `end`, in order. */
int slalom_take(int64_t n, void *gradients, int64_t *row, const int64_t *bytes, int64_t m, const int64_t *begin,
                const int64_t *end, GET *get, DATA *data) {
    int touches = 0;
    for (int64_t j = 0; j < n; j++) {
        const int64_t at = row[j] = (int64_t)data(get(gradients, j));
        int64_t low = 0;
        for (int64_t high = m; low < high;) { /* the first piece that ends beyond the gradient's start */
            const int64_t middle = (low + high) / 2;
            if (end[middle] > at) high = middle;
            else low = middle + 1;
        }
        touches |= low < m && begin[low] < at + bytes[j];
    }
    return touches;
}
"""


def bound(library: ctypes.CDLL) -> tuple[Any, Any]:
    """`slalom_same` and `slalom_take` of a library that holds SOURCE, called with the interpreter locked."""
    number, pointer, held = ctypes.c_int64, ctypes.c_void_p, ctypes.py_object
    same = (number, held, held, held, pointer, pointer, pointer, pointer, pointer)
    take = (number, held, pointer, pointer, number, pointer, pointer, pointer, pointer)
    return (
        ctypes.PYFUNCTYPE(ctypes.c_int, *same)(("slalom_same", library)),
        ctypes.PYFUNCTYPE(ctypes.c_int, *take)(("slalom_take", library)),
    )


@lru_cache(maxsize=1)
def alone() -> tuple[Any, Any]:
    """Both from a library of their own; NoCompilerError and StoreError as `cache.library`."""
    return bound(cache.library(f"#include <stdint.h>\n{SOURCE}", SYMBOLS))
