/* Self-attention of one lane over sequences as in sequences.c: all heads, forward and backward.

   Queries and keys are paired sample by sample, so a product of theirs is one of matrices whose entries are the `padded` numbers
   of a batch: no sum goes across a vector, and softmax runs along samples too. */

typedef struct {
    long time, batch, padded, n, run, width, heads;
    const real *mask; /* [time, time], added to the scores; or none */
    Drop drop;
} Heads;

/* C[i, j] = factor * sum of A[i, p] B[p, j] over p < k, entries of V numbers; strides from one entry to the next. */
INLINE void pairs_tile(const int rows, const int columns, long k, const real *A, long ai, long ap, const real *B, long bp, long bj,
                       real factor, real *C, long ci, long cj) {
    vec sums[4][4];
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < columns; j++) sums[i][j] = (vec){};
    for (long p = 0; p < k; p++) {
        vec b[4];
#pragma GCC unroll 4
        for (int j = 0; j < columns; j++) b[j] = *(const vec *)(B + p * bp + j * bj);
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++) {
            vec a = *(const vec *)(A + i * ai + p * ap);
#pragma GCC unroll 4
            for (int j = 0; j < columns; j++) sums[i][j] += a * b[j];
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < columns; j++) *(vec *)(C + i * ci + j * cj) = sums[i][j] * factor;
}

static void pairs(long m, long n, long k, long padded, const real *A, long ai, long ap, const real *B, long bp, long bj, real factor,
                  real *C, long ci, long cj) {
    for (long v = 0; v < padded; v += V)
        for (long i = 0; i < m; i += 4)
            for (long j = 0; j < n; j += 4) {
                long rows = m - i < 4 ? m - i : 4, columns = n - j < 4 ? n - j : 4;
                const real *a = A + v + i * ai, *b = B + v + j * bj;
                real *c = C + v + i * ci + j * cj;
                if (rows == 4 && columns == 4)
                    pairs_tile(4, 4, k, a, ai, ap, b, bp, bj, factor, c, ci, cj);
                else
                    for (long r = 0; r < rows; r++)
                        for (long s = 0; s < columns; s++)
                            pairs_tile(1, 1, k, a + r * ai, ai, ap, b + s * bj, bp, bj, factor, c + r * ci + s * cj, ci, cj);
            }
}

/* Softmax of `time` rows of `padded` scores, in place; `each`: two rows. */
static void softmax_row(long time, long padded, const real *mask, real *S, real *each) {
    real *most = each, *norm = each + padded;
    if (mask)
        for (long j = 0; j < time; j++)
            for (long b = 0; b < padded; b++) S[j * padded + b] += mask[j];
    for (long b = 0; b < padded; b++) most[b] = S[b], norm[b] = 0;
    for (long j = 1; j < time; j++)
        for (long b = 0; b < padded; b++) most[b] = S[j * padded + b] > most[b] ? S[j * padded + b] : most[b];
    for (long j = 0; j < time; j++)
        for (long b = 0; b < padded; b++) {
            real e = exponential(S[j * padded + b] - most[b]);
            S[j * padded + b] = e;
            norm[b] += e;
        }
    for (long b = 0; b < padded; b++) norm[b] = 1 / norm[b];
    for (long j = 0; j < time; j++)
        for (long b = 0; b < padded; b++) S[j * padded + b] *= norm[b];
}

/* The dropout factors of a head's weights, [time, time, padded]; torch's order is [batch, heads, time, time]. */
static void keep_weights(const Heads *a, long head, real *keep) {
    uint32_t all = a->time * a->time;
    for (long i = 0; i < all; i++) keep_row(&a->drop, head * all + i, a->heads * all, a->padded, keep + i * a->padded);
}

/* QKV [3 width, n] to O [width, n]; P [heads, time, time, padded]: the weights, before dropout. `scratch`: of a head's, twice. */
static void heads(const Heads *a, const real *QKV, real *P, real *O, real *scratch, real *each) {
    long size = a->width / a->heads, row = a->time * a->padded, all = a->time * row;
    real *keep = scratch, *left = scratch + all;
    for (long h = 0; h < a->heads; h++) {
        const real *Q = QKV + h * size * a->run, *K = Q + a->width * a->run, *W = K + a->width * a->run;
        real *S = P + h * all;
        pairs(a->time, a->time, size, a->padded, Q, a->padded, a->run, K, a->run, a->padded, 1 / R(sqrt(size)), S, row, a->padded);
        for (long i = 0; i < a->time; i++) softmax_row(a->time, a->padded, a->mask ? a->mask + i * a->time : 0, S + i * row, each);
        if (a->drop.share > 0) {
            keep_weights(a, h, keep);
            for (long i = 0; i < all; i++) left[i] = S[i] * keep[i];
            S = left;
        }
        pairs(size, a->time, a->time, a->padded, W, a->run, a->padded, S, a->padded, row, 1, O + h * size * a->run, a->run, a->padded);
    }
}

/* The gradient of QKV from that of O; `scratch`: of a head's weights, three times. */
static void heads_back(const Heads *a, const real *QKV, const real *P, const real *dO, real *dQKV, real *scratch, real *each) {
    long size = a->width / a->heads, row = a->time * a->padded, all = a->time * row, to = a->width * a->run;
    real *dS = scratch, *keep = scratch + all, *left = keep + all, factor = 1 / R(sqrt(size));
    for (long h = 0; h < a->heads; h++) {
        const real *Q = QKV + h * size * a->run, *K = Q + to, *W = K + to, *S = P + h * all, *d = dO + h * size * a->run;
        real *dQ = dQKV + h * size * a->run, *dK = dQ + to, *dW = dK + to;
        pairs(a->time, a->time, size, a->padded, d, a->padded, a->run, W, a->run, a->padded, 1, dS, row, a->padded);
        const real *used = S;
        if (a->drop.share > 0) {
            keep_weights(a, h, keep);
            for (long i = 0; i < all; i++) left[i] = S[i] * keep[i], dS[i] *= keep[i];
            used = left;
        }
        pairs(size, a->time, a->time, a->padded, d, a->run, a->padded, used, row, a->padded, 1, dW, a->run, a->padded);
        for (long i = 0; i < a->time; i++) {
            real *ds = dS + i * row;
            const real *s = S + i * row;
            for (long b = 0; b < a->padded; b++) each[b] = 0;
            for (long j = 0; j < a->time; j++)
                for (long b = 0; b < a->padded; b++) each[b] += s[j * a->padded + b] * ds[j * a->padded + b];
            for (long j = 0; j < a->time; j++)
                for (long b = 0; b < a->padded; b++) ds[j * a->padded + b] = s[j * a->padded + b] * (ds[j * a->padded + b] - each[b]);
        }
        pairs(size, a->time, a->time, a->padded, K, a->run, a->padded, dS, a->padded, row, factor, dQ, a->run, a->padded);
        pairs(size, a->time, a->time, a->padded, Q, a->run, a->padded, dS, row, a->padded, factor, dK, a->run, a->padded);
    }
}
