/* Products of small matrices, by tiles of the result that stay in registers.

   C[m, n] = A[m, k] B[k, n] (+ bias[m]): A with any strides, read one number at a time; rows of B and C contiguous.
   The order of the sums depends on the sizes alone, so a lane's numbers are the same to the bit in any company. */

#if defined(__AVX512F__)
#define BYTES 64
#define TALL 8
#elif defined(__AVX__)
#define BYTES 32
#define TALL 4
#else
#define BYTES 16
#define TALL 4
#endif
#define WIDE 2 /* vectors */
#define V ((long)(BYTES / sizeof(real)))
typedef real vec __attribute__((vector_size(BYTES), aligned(sizeof(real)), may_alias));

#define INLINE static inline __attribute__((always_inline))

/* `tail`: how many numbers of the last vector to write, 0 for all. `rows` and `vectors` are constants where it is called. */
INLINE void tile(const int rows, const int vectors, long k, const real *A, long am, long ak, const real *B, long ldb, real *C,
                 long ldc, const real *bias, long tail) {
    vec sums[TALL][WIDE];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) {
            sums[i][j] = (vec){};
            if (bias) sums[i][j] += bias[i];
        }
    for (long p = 0; p < k; p++) {
        vec b[WIDE];
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) b[j] = *(const vec *)(B + p * ldb + j * V);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            real a = A[i * am + p * ak];
#pragma GCC unroll 2
            for (int j = 0; j < vectors; j++) sums[i][j] += a * b[j];
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) {
            if (j == vectors - 1 && tail)
                memcpy(C + i * ldc + j * V, &sums[i][j], tail * sizeof(real));
            else
                *(vec *)(C + i * ldc + j * V) = sums[i][j];
        }
}

INLINE void column(const int vectors, long m, long k, const real *A, long am, long ak, const real *B, long ldb, real *C, long ldc,
                   const real *bias, long tail) {
    long i = 0;
    for (; i + TALL <= m; i += TALL)
        tile(TALL, vectors, k, A + i * am, am, ak, B, ldb, C + i * ldc, ldc, bias ? bias + i : 0, tail);
#define REST(r)                                                                                                              \
    case r:                                                                                                                  \
        tile(r, vectors, k, A + i * am, am, ak, B, ldb, C + i * ldc, ldc, bias ? bias + i : 0, tail);                        \
        break;
    switch (m - i) {
        REST(1)
        REST(2)
        REST(3)
#if TALL > 4
        REST(4)
        REST(5)
        REST(6)
        REST(7)
#endif
    }
#undef REST
}

/* Reads B up to the next multiple of V beyond n. */
static void product(long m, long n, long k, const real *A, long am, long ak, const real *B, long ldb, real *C, long ldc,
                    const real *bias) {
    long j = 0;
    for (; j + WIDE * V <= n; j += WIDE * V) column(WIDE, m, k, A, am, ak, B + j, ldb, C + j, ldc, bias, 0);
    if (j + V <= n) {
        column(1, m, k, A, am, ak, B + j, ldb, C + j, ldc, bias, 0);
        j += V;
    }
    if (j < n) column(1, m, k, A, am, ak, B + j, ldb, C + j, ldc, bias, n - j);
}

INLINE real total(vec v) { /* by halves: one number after another takes as long as a short product */
#if BYTES > 16
    typedef real half __attribute__((vector_size(BYTES / 2)));
    typedef real quarter __attribute__((vector_size(BYTES / 4)));
    union { vec v; half h[2]; } whole = {v};
    union { half h; quarter q[2]; } rest = {whole.h[0] + whole.h[1]};
    quarter last = rest.q[0] + rest.q[1];
    real sum = last[0];
    for (int i = 1; i < V / 4; i++) sum += last[i];
#else
    real sum = 0;
    for (int i = 0; i < V; i++) sum += v[i];
#endif
    return sum;
}

/* C[m, n] = A[m, k] B[n, k]^T with rows contiguous along k, a multiple of V: for long k. */
INLINE void dots(const int rows, const int columns, long k, const real *A, long lda, const real *B, long ldb, real *C, long ldc) {
    vec sums[4][4];
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < columns; j++) sums[i][j] = (vec){};
    for (long p = 0; p < k; p += V) {
        vec b[4];
#pragma GCC unroll 4
        for (int j = 0; j < columns; j++) b[j] = *(const vec *)(B + j * ldb + p);
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++) {
            vec a = *(const vec *)(A + i * lda + p);
#pragma GCC unroll 4
            for (int j = 0; j < columns; j++) sums[i][j] += a * b[j];
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < columns; j++) C[i * ldc + j] = total(sums[i][j]);
}

static void outer(long m, long n, long k, const real *A, long lda, const real *B, long ldb, real *C, long ldc) {
    for (long i = 0; i < m; i += 4)
        for (long j = 0; j < n; j += 4) {
            const real *a = A + i * lda, *b = B + j * ldb;
            real *c = C + i * ldc + j;
            long rows = m - i < 4 ? m - i : 4, columns = n - j < 4 ? n - j : 4;
            if (rows == 4 && columns == 4)
                dots(4, 4, k, a, lda, b, ldb, c, ldc);
            else
                for (long r = 0; r < rows; r++)
                    for (long s = 0; s < columns; s++) dots(1, 1, k, a + r * lda, lda, b + s * ldb, ldb, c + r * ldc + s, ldc);
        }
}

/* ---- transposition: blocks of V x V numbers in registers, by log2(V) rounds of interleaving rows with those V / 2 further on ---- */

#ifdef DOUBLE
#define COUNT (BYTES / 8)
#else
#define COUNT (BYTES / 4)
#endif
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#if COUNT == 16
#define ROUNDS 4
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif COUNT == 8
#define ROUNDS 3
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif COUNT == 4
#define ROUNDS 2
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif
#endif
#endif

static void corner(const real *S, long rows, long columns, long lds, real *D, long ldd) {
    for (long j = 0; j < columns; j++)
        for (long i = 0; i < rows; i++) D[j * ldd + i] = S[i * lds + j];
}

/* D[c, r] = S[r, c]^T. */
static void transpose(const real *S, long r, long c, long lds, real *D, long ldd) {
    long rows = 0, columns = 0;
#ifdef ROUNDS
    rows = r / COUNT * COUNT, columns = c / COUNT * COUNT;
    for (long i = 0; i < rows; i += COUNT)
        for (long j = 0; j < columns; j += COUNT) {
            vec block[COUNT], other[COUNT];
#pragma GCC unroll 16
            for (int k = 0; k < COUNT; k++) block[k] = *(const vec *)(S + (i + k) * lds + j);
#pragma GCC unroll 4
            for (int round = 0; round < ROUNDS; round++) {
#pragma GCC unroll 16
                for (int k = 0; k < COUNT / 2; k++) {
                    other[2 * k] = LOW(block[k], block[k + COUNT / 2]);
                    other[2 * k + 1] = HIGH(block[k], block[k + COUNT / 2]);
                }
#pragma GCC unroll 16
                for (int k = 0; k < COUNT; k++) block[k] = other[k];
            }
#pragma GCC unroll 16
            for (int k = 0; k < COUNT; k++) *(vec *)(D + (j + k) * ldd + i) = block[k];
        }
#endif
    corner(S + columns, rows, c - columns, lds, D + columns * ldd, ldd);
    for (long i = rows; i < r; i += 16) corner(S + i * lds, r - i < 16 ? r - i : 16, c, lds, D + i, ldd);
}
