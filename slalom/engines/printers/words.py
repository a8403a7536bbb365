"""The words of the printed loop body in C and CUDA C: small functions on `T`, and the math library's names for a dtype."""

from __future__ import annotations

# The frame defines T, and INLINE as what its compiler wants before a function.
WORDS = r"""
INLINE T SQUARE(T x) { return x * x; }
INLINE T CUBE(T x) { return x * x * x; }
INLINE T SIGN(T x) { return x != x ? x : (T)((x > 0) - (x < 0)); }
INLINE T MAXIMUM(T a, T b) { return (a > b || a != a) ? a : b; }
INLINE T MINIMUM(T a, T b) { return (a < b || a != a) ? a : b; }
INLINE T SELECT(int c, T yes, T no) { return c ? yes : no; }
"""

MATH = {
    "float32": "#define SQRT sqrtf\n#define FABS fabsf\n#define EXP expf\n#define POW powf",
    "float64": "#define SQRT sqrt\n#define FABS fabs\n#define EXP exp\n#define POW pow",
}
