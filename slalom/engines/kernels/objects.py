"""C that looks at Python objects: where tensors lie and what form they have, seen for all of them in one call.

`slalom.engines.watch` calls it, with the interpreter locked, and tells it what it needs to know of Python and torch (HOOKS).
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any, NamedTuple

from slalom.engines.kernels import cache

SYMBOLS = ("slalom_listed", "slalom_describe", "slalom_same", "slalom_take")
FITS, OTHER = 0, 2  # what slalom_take answers

SOURCE = r"""
typedef struct {
    void *(*get)(void *, int64_t);                      /* PyList_GetItem */
    int (*next)(void *, int64_t *, void **, void **);   /* PyDict_Next */
    void *(*data)(void *);                              /* torch's own way from a tensor object to its memory */
    int32_t (*sizes)(void **, int64_t **), (*strides)(void **, int64_t **), (*dim)(void **, int64_t *),
        (*dtype)(void **, int32_t *);                   /* torch's stable interface; 0 is success */
    int64_t type, tensor, keys, storage;                /* where an object holds its class and its tensor, a tensor its keys
                                                           and its storage (0: unknown) */
    void *plain[2];                                     /* the classes whose memory is what it seems */
} HOOKS;

#define AT(base, offset, kind) (*(kind *)((char *)(base) + (offset)))
#define SOON 8 /* objects ahead that are fetched into the cache: a step of the tensors has driven them out of it */

static inline void soon(const int64_t *ahead, int64_t i, int64_t n) {
    if (i + SOON >= n) return;
    for (int k = 0; k < 2; k++)
        for (int64_t line = 0; line < (k ? 64 : 192); line += 64)
            __builtin_prefetch((const char *)ahead[2 * (i + SOON) + k] + line);
}

/* Whether a list holds n objects, and a dict the same as its keys, with n values, all in order. */
int slalom_listed(int64_t n, void *list, void *dict, void *const *keys, void *const *values, const HOOKS *h) {
    void *key, *value;
    int64_t place = 0, i = 0;
    for (; h->next(dict, &place, &key, &value); i++)
        if (i >= n || key != keys[i] || value != values[i] || h->get(list, i) != key) return 0;
    return i == n;
}

/* Notes where each of n tensors and its storage are described, to be fetched ahead, and for no more than that. */
int slalom_describe(int64_t n, void *tensors, int64_t *ahead, const HOOKS *h) {
    for (int64_t i = 0; i < n; i++) {
        void *tensor = AT(h->get(tensors, i), h->tensor, void *);
        ahead[2 * i] = (int64_t)tensor;
        ahead[2 * i + 1] = tensor ? AT(tensor, h->storage, int64_t) : 0;
    }
    return 1;
}

/* Whether each of n dicts holds exactly its part of the tensors `held` (up to `ends`), in order, and params and held lie at
   `expected`. `ahead`: where each of them and its storage were described last, which need not be so any more. */
int slalom_same(int64_t n, void *cells, void *params, void *held, const int64_t *ends, const int64_t *expected,
                const int64_t *ahead, const HOOKS *h) {
    int64_t i = 0;
    for (int64_t j = 0; j < n; j++) {
        void *cell = h->get(cells, j), *key, *value;
        int64_t place = 0;
        soon(ahead, j, n);
        while (h->next(cell, &place, &key, &value)) {
            if (i >= ends[j] || value != h->get(held, i)) return 0;
            i++;
        }
        if (i != ends[j] || (int64_t)h->data(h->get(params, j)) != expected[j]) return 0;
    }
    for (i = 0; i < ends[n - 1]; i++) {
        soon(ahead + 2 * n, i, ends[n - 1]);
        if ((int64_t)h->data(h->get(held, i)) != expected[n + i]) return 0;
    }
    return 1;
}

static int formed(const HOOKS *h, void *object, uint64_t keys, int32_t dtype, int64_t dim, const int64_t *sizes,
                  const int64_t *strides) {
    void *type = AT(object, h->type, void *), *tensor;
    int32_t stored;
    int64_t axes, *found;
    if (type != h->plain[0] && type != h->plain[1]) return 0;
    tensor = AT(object, h->tensor, void *);
    if (!tensor || AT(tensor, h->keys, uint64_t) != keys || h->dtype(&tensor, &stored) || stored != dtype) return 0;
    if (h->dim(&tensor, &axes) || axes != dim || h->sizes(&tensor, &found)) return 0;
    for (int64_t k = 0; k < dim; k++)
        if (found[k] != sizes[k]) return 0;
    if (h->strides(&tensor, &found)) return 0;
    for (int64_t k = 0; k < dim; k++)
        if (found[k] != strides[k]) return 0;
    return 1;
}

/* Whether n parameters and their gradients have the forms that are given (first the parameters', `first` is where each one's
   axes begin); notes where the gradients, of so many bytes each, lie, and whether one touches one of the m pieces from
   `begin` to `end`, in order: 0 or 1, and 2 where a form is another. */
int slalom_take(int64_t n, void *params, void *gradients, const uint64_t *keys, const int32_t *dtypes, const int64_t *first,
                const int64_t *sizes, const int64_t *strides, int64_t *row, const int64_t *bytes, int64_t m,
                const int64_t *begin, const int64_t *end, const HOOKS *h) {
    int touches = 0;
    for (int64_t j = 0; j < n; j++) {
        const int64_t axes = first[j + 1] - first[j];
        void *p = h->get(params, j), *g = h->get(gradients, j);
        if (j + SOON < n) __builtin_prefetch(h->get(gradients, j + SOON));
        if (j + SOON / 2 < n) {
            const char *tensor = AT(h->get(gradients, j + SOON / 2), h->tensor, const char *);
            for (int64_t line = 0; line < 192; line += 64) __builtin_prefetch(tensor + line);
        }
        if (!formed(h, p, keys[j], dtypes[j], axes, sizes + first[j], strides + first[j])) return 2;
        if (!formed(h, g, keys[n + j], dtypes[n + j], axes, sizes + first[j], strides + first[n] + first[j])) return 2;
        const int64_t at = row[j] = (int64_t)h->data(g);
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


class Looks(NamedTuple):
    """The four functions."""

    listed: Any
    describe: Any
    same: Any
    take: Any


def bound(library: ctypes.CDLL) -> Looks:
    """The functions of a library that holds SOURCE, called with the interpreter locked."""
    number, pointer, held = ctypes.c_int64, ctypes.c_void_p, ctypes.py_object
    arguments: dict[str, tuple[Any, ...]] = {
        "slalom_listed": (number, held, held, *[pointer] * 3),
        "slalom_describe": (number, held, *[pointer] * 2),
        "slalom_same": (number, *[held] * 3, *[pointer] * 4),
        "slalom_take": (number, *[held] * 2, *[pointer] * 7, number, *[pointer] * 3),
    }
    return Looks(*(ctypes.PYFUNCTYPE(ctypes.c_int, *arguments[name])((name, library)) for name in SYMBOLS))


@lru_cache(maxsize=1)
def alone() -> Looks:
    """The same from a library of their own; NoCompilerError and StoreError as `cache.library`."""
    return bound(cache.library(f"#include <stdint.h>\n{SOURCE}", SYMBOLS))
