"""What the CUDA source of a program's step begins with, on separate tensors and on rows alike: numbers, words, a block's sum."""

from __future__ import annotations

import torch

from slalom.engines.printers.c import CBody, power_text
from slalom.engines.printers.words import MATH, WORDS

CHUNK = 4096  # elements of one block; a chunk lies in one tensor, or in one row
BLOCK = 256  # threads of a block
REAL = {torch.float32: "float", torch.float64: "double"}

PRELUDE = r"""
#define INLINE static __device__ __forceinline__
#define KERNEL extern "C" __global__ void __launch_bounds__(BLOCK)
#define CHUNK @CHUNK@
#define BLOCK @BLOCK@
#define NCOEF @NCOEF@
#define ONE ((T)1)

typedef @T@ T;
typedef unsigned long long word; /* an address or a number of elements */

@MATH@
@WORDS@
@POWERS@

/* The sum over the block's threads, a tree in fixed order; known to all of them. */
INLINE double block_sum(double x, double *part) {
    part[threadIdx.x] = x;
    __syncthreads();
    for (int width = BLOCK / 2; width; width /= 2) {
        if ((int)threadIdx.x < width) part[threadIdx.x] += part[threadIdx.x + width];
        __syncthreads();
    }
    return part[0];
}
"""


def prelude(body: CBody, compute: torch.dtype) -> dict[str, str]:
    """What stands in the places of the prelude for a program computed in float32 or float64."""
    name = {torch.float32: "float32", torch.float64: "float64"}[compute]
    return {
        "CHUNK": str(CHUNK), "BLOCK": str(BLOCK), "NCOEF": str(max(1, len(body.coefficients))), "T": REAL[compute],
        "MATH": MATH[name], "WORDS": WORDS, "POWERS": _powers(body),
    }  # fmt: skip


def _powers(body: CBody) -> str:
    # An exponent is the same for a whole block: branches instead of the CPU's one loop for each easy set.
    lines = []
    for at, k in enumerate(body.powers):
        chain = "POW(x, e)"
        for exponents in body.easy:
            chain = f"(e == (T){exponents[at]!r} ? {power_text('x', exponents[at])} : {chain})"
        lines.append(f"INLINE T POWER_{k}(T x, T e) {{ return {chain}; }}")
    return "\n".join(lines)
