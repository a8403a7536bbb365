"""Which entries of a sparse gradient belong to which row, found in one sort in C; and their sums.

Rows rise, and the entries of one row keep the order in which they stand in the gradient, in which they are summed too, whatever
the number of threads (torch's `coalesce` sums in an order that its sort happens to leave). Most gradients name few rows twice,
so nothing is copied: a step reads every entry where it lies, and sums only what has to be summed.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import NamedTuple

import torch

from slalom.core.errors import StoreError
from slalom.engines.kernels import cache
from slalom.engines.kernels.compiler import NoCompilerError

KINDS = {torch.float32: "float", torch.float64: "double"}

_SOURCE = r"""/* entries of a sparse gradient by row */
#include <stdint.h>
#include <string.h>
#define BITS 11 /* of a row's number, sorted by at a time */
#define DIGITS (1 << BITS)
typedef struct { int64_t row, entry; } PAIR;

/* n entries whose indices along axis k stand at indices[k * across + entry * along]. `rows` becomes the rows they touch, rising;
   those of the j-th row are order[first[j]..first[j + 1]), rising. Returns how many rows there are, with first[0] = -1 and no
   order where the entries are in order already, none twice; or -1 where an index is outside its axis. `room` is for 2 n pairs. */
int64_t slalom_group(int64_t n, int64_t axes, const int64_t *indices, int64_t across, int64_t along, const int64_t *lead,
                     int64_t *rows, int64_t *order, int64_t *first, PAIR *room) {
    PAIR *from = room, *to = room + n;
    int64_t last = -1, largest = 0, made = 0;
    int rising = 1;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = 0;
        for (int64_t k = 0; k < axes; k++) {
            const int64_t index = indices[k * across + i * along];
            if (index < 0 || index >= lead[k]) return -1;
            row = row * lead[k] + index;
        }
        rising &= row > last;
        largest = row > largest ? row : largest;
        from[i] = (PAIR){last = row, i};
    }
    if (rising) {
        for (int64_t i = 0; i < n; i++) rows[i] = from[i].row;
        first[0] = -1;
        return n;
    }
    for (int shift = 0; largest >> shift; shift += BITS) { /* digit by digit, which keeps the order of what is equal */
        int64_t place[DIGITS] = {0}, sum = 0;
        for (int64_t i = 0; i < n; i++) place[from[i].row >> shift & (DIGITS - 1)]++;
        for (int d = 0; d < DIGITS; d++) {
            const int64_t count = place[d];
            place[d] = sum;
            sum += count;
        }
        for (int64_t i = 0; i < n; i++) to[place[from[i].row >> shift & (DIGITS - 1)]++] = from[i];
        PAIR *sorted = to;
        to = from;
        from = sorted;
    }
    for (int64_t i = 0; i < n; i++) {
        if (!i || from[i].row != from[i - 1].row) {
            rows[made] = from[i].row;
            first[made++] = i;
        }
        order[i] = from[i].entry;
    }
    first[made] = n;
    return made;
}

#define SUMS(T) \
void slalom_sums_##T(int64_t rows, const int64_t *first, const int64_t *order, int64_t D, const T *G, T *made) { \
    for (int64_t j = 0; j < rows; j++) { \
        T *restrict sum = made + j * D; \
        memcpy(sum, G + order[first[j]] * D, (size_t)D * sizeof(T)); \
        for (int64_t k = first[j] + 1; k < first[j + 1]; k++) { \
            const T *restrict x = G + order[k] * D; \
            for (int64_t i = 0; i < D; i++) sum[i] += x[i]; \
        } \
    } \
}
@SUMS@
"""


class Groups(NamedTuple):
    """The entries `order[first[j] : first[j + 1]]` belong to row j; int64."""

    first: torch.Tensor
    order: torch.Tensor


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    # None without a compiler, which the step itself says.
    names = [f"slalom_sums_{kind}" for kind in KINDS.values()]
    try:
        found = cache.library(
            _SOURCE.replace("@SUMS@", "\n".join(f"SUMS({k})" for k in KINDS.values())), ("slalom_group", *names)
        )
    except (NoCompilerError, StoreError):
        return None
    number, pointer = ctypes.c_int64, ctypes.c_void_p
    found.slalom_group.argtypes = [number, number, pointer, number, number, *[pointer] * 5]
    found.slalom_group.restype = number
    for name in names:
        getattr(found, name).argtypes = [number, pointer, pointer, number, pointer, pointer]
        getattr(found, name).restype = None
    return found


def groupable(indices: torch.Tensor, dtype: torch.dtype) -> bool:
    """Whether `grouped` and `sums` can be used for these indices, and numbers of this real dtype."""
    return indices.device.type == "cpu" and indices.dtype == torch.int64 and dtype in KINDS and _library() is not None


def grouped(indices: torch.Tensor, lead: tuple[int, ...]) -> tuple[torch.Tensor, Groups | None] | None:
    """`(rows, rising; their entries, or None where entry j is row j)` of indices `[axes, n]`; None where one is outside."""
    library, n, ends = _library(), indices.shape[1], (ctypes.c_int64 * len(lead))(*lead)
    assert library is not None
    found = torch.empty(3 * n + 1, dtype=torch.int64)
    room, at = torch.empty(4 * n, dtype=torch.int64), found.data_ptr()
    made = library.slalom_group(
        n, len(lead), indices.data_ptr(), *indices.stride(), ends, at, at + 8 * n, at + 16 * n, room.data_ptr()
    )
    if made < 0:
        return None
    return found[:made], None if int(found[2 * n]) < 0 else Groups(found[2 * n : 2 * n + made + 1], found[n : 2 * n])


def sums(groups: Groups, values: torch.Tensor) -> torch.Tensor:
    """The sum of each row's entries `[rows, width]`; values: `[entries, width]`, packed."""
    rows, width = len(groups.first) - 1, values.shape[1]
    made = torch.empty(rows, width, dtype=values.dtype)
    call = getattr(_library(), f"slalom_sums_{KINDS[values.dtype]}")
    call(rows, groups.first.data_ptr(), groups.order.data_ptr(), width, values.data_ptr(), made.data_ptr())
    return made
