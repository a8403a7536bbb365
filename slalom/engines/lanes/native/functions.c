/* Elementwise functions and their derivatives, in loops that the compiler turns into vectors; NaN stays NaN.

   exp and expm1: x = n ln 2 + r with |r| <= ln 2 / 2, Taylor's series of r to the precision of `real`. */

#ifdef DOUBLE
#define LARGE 709.5
#define SMALL (-746.0)
#define LN2_HIGH 0x1.62e42fefa38p-1
#define LN2_LOW 0x1.ef35793c7673p-45
typedef int64_t whole;
#define BIAS 1023
#define SHIFT 52
#else
#define LARGE 88.5f
#define SMALL (-104.0f)
#define LN2_HIGH 0x1.62e4p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
typedef int32_t whole;
#define BIAS 127
#define SHIFT 23
#endif
#define R(x) ((real)(x))

INLINE real power_of_two(real n) { /* n whole, within the exponents of normal numbers */
    union { whole i; real r; } u = {.i = ((whole)n + BIAS) << SHIFT};
    return u.r;
}

/* exp(r) - 1 for |r| <= ln 2 / 2 */
INLINE real series(real r) {
#ifdef DOUBLE
    real s = R(1.0 / 6227020800);
    s = s * r + R(1.0 / 479001600);
    s = s * r + R(1.0 / 39916800);
    s = s * r + R(1.0 / 3628800);
    s = s * r + R(1.0 / 362880);
    s = s * r + R(1.0 / 40320);
    s = s * r + R(1.0 / 5040);
#else
    real s = R(1.0 / 5040);
#endif
    s = s * r + R(1.0 / 720);
    s = s * r + R(1.0 / 120);
    s = s * r + R(1.0 / 24);
    s = s * r + R(1.0 / 6);
    s = s * r + R(0.5);
    return (s * r) * r + r;
}

INLINE real nearest(real x) { return sizeof(real) == 8 ? __builtin_rint(x) : __builtin_rintf(x); }

INLINE real exponential(real x) {
    x = x > R(LARGE) + 1 ? R(LARGE) + 1 : x;
    x = x < R(SMALL) ? R(SMALL) : x;
    real n = nearest(x * R(1.44269504088896340736)), r = (x - n * LN2_HIGH) - n * LN2_LOW;
    real half = nearest(n * R(0.5)); /* in two factors: 2^n itself may be too large or too small */
    return (series(r) + 1) * power_of_two(half) * power_of_two(n - half);
}

INLINE real exponential_less_1(real x) {
    x = x > R(LARGE) - 1 ? R(LARGE) - 1 : x;
    x = x < -50 ? -50 : x;
    real n = nearest(x * R(1.44269504088896340736)), r = (x - n * LN2_HIGH) - n * LN2_LOW, scale = power_of_two(n);
    return series(r) * scale + (scale - 1);
}

INLINE real tangent(real x) {
    real a = x < 0 ? -x : x;
    a = a > 20 ? 20 : a;
    real e = exponential_less_1(2 * a), t = e / (e + 2);
    return x < 0 ? -t : t;
}

INLINE real logistic(real x) { return 1 / (1 + exponential(-x)); }

INLINE real log_of_1_plus(real x) { return sizeof(real) == 8 ? log1p(x) : log1pf(x); }
INLINE real softplus(real x, real beta, real threshold) {
    return x * beta > threshold ? x : log_of_1_plus(exponential(x * beta)) / beta;
}
INLINE real normal_below(real x) { return R(0.5) * (1 + (sizeof(real) == 8 ? erf(x * M_SQRT1_2) : erff(x * R(M_SQRT1_2)))); }
INLINE real gelu_inner(real x) { return R(0.79788456080286535588) * (x + R(0.044715) * x * x * x); }
INLINE real mish_ratio(real x) { /* tanh(softplus(x)) */
    real e = exponential(x > 20 ? 20 : x), n = e * (e + 2);
    return n / (n + 2);
}

/* f(x), and the derivative from x and y = f(x); which of the two it needs decides whether y may lie in x's place. */
#define FUNCTIONS(DO)                                                                                                        \
    DO(RELU, x < 0 ? 0 : x, y <= 0 ? 0 : 1)                                                                                  \
    DO(LEAKY_RELU, x > 0 ? x : a * x, x > 0 ? 1 : a)                                                                         \
    DO(CLAMP, x < a ? a : x > b ? b : x, x <= a || x >= b ? 0 : 1)                                                           \
    DO(TANH, tangent(x), 1 - y *y)                                                                                           \
    DO(SIGMOID, logistic(x), y *(1 - y))                                                                                     \
    DO(ELU, x > 0 ? a * x : a * b * exponential_less_1(x), x > 0 ? a : y + a * b)                                            \
    DO(CELU, x > 0 ? x : a * exponential_less_1(x / a), x > 0 ? 1 : exponential(x / a))                                      \
    DO(SILU, x *logistic(x), logistic(x) * (1 + x * (1 - logistic(x))))                                                      \
    DO(GELU, x *normal_below(x), normal_below(x) + x * R(0.39894228040143267794) * exponential(R(-0.5) * x * x))             \
    DO(GELU_TANH, R(0.5) * x * (1 + tangent(gelu_inner(x))),                                                                 \
       R(0.5) * (1 + tangent(gelu_inner(x))) + R(0.5) * x * (1 - tangent(gelu_inner(x)) * tangent(gelu_inner(x))) *          \
                                                   R(0.79788456080286535588) * (1 + R(0.134145) * x * x))                    \
    DO(SOFTPLUS, softplus(x, a, b), x *a > b ? 1 : logistic(x * a))                                                          \
    DO(SOFTSIGN, x / (1 + (x < 0 ? -x : x)), 1 / ((1 + (x < 0 ? -x : x)) * (1 + (x < 0 ? -x : x))))                          \
    DO(MISH, x *mish_ratio(x), mish_ratio(x) + x * (1 - mish_ratio(x) * mish_ratio(x)) * logistic(x))

#define NAME(name, f, d) name,
enum { FUNCTIONS(NAME) };
#undef NAME

static void apply(long function, long n, const real *X, real *Y, real a, real b) {
    switch (function) {
#define FORWARD(name, f, d)                                                                                                  \
    case name:                                                                                                               \
        _Pragma("GCC ivdep") for (long i = 0; i < n; i++) {                                                                  \
            real x = X[i];                                                                                                   \
            Y[i] = (f);                                                                                                      \
        }                                                                                                                    \
        break;
        FUNCTIONS(FORWARD)
#undef FORWARD
    }
}

/* G *= f', where a slope of 0 stops any gradient, as in torch. */
static void apply_back(long function, long n, const real *X, const real *Y, real *G, real a, real b) {
    switch (function) {
#define BACKWARD(name, f, d)                                                                                                 \
    case name:                                                                                                               \
        _Pragma("GCC ivdep") for (long i = 0; i < n; i++) {                                                                  \
            real x = X[i], y = Y[i], slope = (d);                                                                            \
            (void)x, (void)y;                                                                                                \
            G[i] = slope == 0 ? 0 : G[i] * slope;                                                                            \
        }                                                                                                                    \
        break;
        FUNCTIONS(BACKWARD)
#undef BACKWARD
    }
}
