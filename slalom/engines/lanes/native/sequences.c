/* Sequences of one lane: [features, time, batch], a row of numbers for each feature, `padded` numbers for each time step, so that
   every loop runs along the samples of a batch and nothing is summed across a vector but gradients of weights.

   What a layer over sequences is called with lies in torch's order, [batch, time, features] with any strides. */

/* Numbers in a row that holds at least n: an odd number of cache lines, so that rows do not all fall into the same places of
   the cache. */
static long row_of(long n) { return n / V % 2 ? n : n + V; }

/* S [time, batch, features] by strides to D [features, run]; samples beyond the batch are 0. */
static void sequence_in(const real *S, long time, long by_time, long batch, long by_sample, long features, long padded, int reverse,
                        real *D, long run) {
    for (long t = 0; t < time; t++) {
        transpose(S + (reverse ? time - 1 - t : t) * by_time, batch, features, by_sample, D + t * padded, run);
        if (padded != batch)
            for (long f = 0; f < features; f++)
                for (long b = batch; b < padded; b++) D[f * run + t * padded + b] = 0;
    }
}

static void sequence_out(const real *S, long run, long time, long by_time, long batch, long by_sample, long features, long padded,
                         int reverse, real *D) {
    for (long t = 0; t < time; t++)
        transpose(S + t * padded, features, batch, run, D + (reverse ? time - 1 - t : t) * by_time, by_sample);
}

static void row_sums(long rows, long n, long run, const real *D, real *sums) {
    for (long r = 0; r < rows; r++) {
        vec sum = {};
        for (long i = 0; i < n; i += V) sum += *(const vec *)(D + r * run + i);
        sums[r] = total(sum);
    }
}

static void add_rows(long rows, long n, long run, const real *S, real *D) {
    for (long r = 0; r < rows; r++)
        for (long i = 0; i < n; i += V) *(vec *)(D + r * run + i) += *(const vec *)(S + r * run + i);
}

/* A dense layer on rows X [in, n]: its weights' gradient, and that of X where dX is given. */
static void dense_back(long out, long in, long n, long run, const real *W, const real *X, const real *dY, real *dW, real *db,
                       real *dX) {
    outer(out, in, n, dY, run, X, run, dW, in);
    if (db) row_sums(out, n, run, dY, db);
    if (dX) product(in, n, out, W, 1, in, dY, run, dX, run, 0);
}

/* ---- LayerNorm over features, a block of columns at a time; `kept`: mean and 1 / deviation of each column ---- */

#define BLOCK (8 * V)
#define COLUMNS(from, n) for (long from = 0; from < (n); from += BLOCK)

static void norm_rows(long width, long n, long run, const real *X, const real *weight, const real *bias, double eps, real *Y,
                      real *kept) {
    COLUMNS(at, n) {
        long m = n - at < BLOCK ? n - at : BLOCK;
        real *mean = kept + at, *scale = kept + n + at;
        const real *x = X + at;
        real *y = Y + at;
        for (long b = 0; b < m; b++) mean[b] = scale[b] = 0;
        for (long f = 0; f < width; f++)
            for (long b = 0; b < m; b++) mean[b] += x[f * run + b];
        for (long b = 0; b < m; b++) mean[b] /= width;
        for (long f = 0; f < width; f++)
            for (long b = 0; b < m; b++) scale[b] += (x[f * run + b] - mean[b]) * (x[f * run + b] - mean[b]);
        for (long b = 0; b < m; b++)
            scale[b] = 1 / (sizeof(real) == 8 ? sqrt(scale[b] / width + eps) : sqrtf(scale[b] / width + R(eps)));
        for (long f = 0; f < width; f++) {
            real w = weight ? weight[f] : 1, c = bias ? bias[f] : 0;
            for (long b = 0; b < m; b++) y[f * run + b] = (x[f * run + b] - mean[b]) * scale[b] * w + c;
        }
    }
}

/* dX may be dY; dW and db, of `width` numbers, are added to in blocks. */
static void norm_rows_back(long width, long n, long run, const real *X, const real *weight, const real *kept, const real *dY,
                           real *dW, real *db, real *dX) {
    if (dW) memset(dW, 0, width * sizeof(real));
    if (db) memset(db, 0, width * sizeof(real));
    COLUMNS(at, n) {
        long m = n - at < BLOCK ? n - at : BLOCK;
        const real *mean = kept + at, *scale = kept + n + at, *x = X + at, *dy = dY + at;
        real sum[BLOCK], along[BLOCK], *dx = dX + at;
        for (long b = 0; b < m; b++) sum[b] = along[b] = 0;
        for (long f = 0; f < width; f++) {
            real w = weight ? weight[f] : 1;
            vec gain = {}, offset = {};
            for (long b = 0; b < m; b += V) {
                vec d = *(const vec *)(dy + f * run + b);
                vec unit = (*(const vec *)(x + f * run + b) - *(const vec *)(mean + b)) * *(const vec *)(scale + b);
                gain += d * unit, offset += d;
                *(vec *)(sum + b) += d * w;
                *(vec *)(along + b) += d * w * unit;
            }
            if (dW) dW[f] += total(gain);
            if (db) db[f] += total(offset);
        }
        for (long b = 0; b < m; b++) sum[b] /= width, along[b] /= width;
        for (long f = 0; f < width; f++) {
            real w = weight ? weight[f] : 1;
            for (long b = 0; b < m; b++) {
                real unit = (x[f * run + b] - mean[b]) * scale[b];
                dx[f * run + b] = scale[b] * (dy[f * run + b] * w - sum[b] - unit * along[b]);
            }
        }
    }
}

/* ---- dropout, by the masks of counter.py ---- */

typedef struct {
    uint32_t key;
    long site;
    double share;
} Drop;

/* The factor, 0 or 1 / (1 - share), of `n` samples that stand `step` apart from `first` on in the order of the mask. */
INLINE void keep_row(const Drop *d, uint32_t first, uint32_t step, long n, real *keep) {
    uint32_t base = mix(d->key + 0x632BE5ABu * (uint32_t)(d->site + 1));
    float p = d->share;
    real scale = 1 / (1 - R(d->share));
    for (uint32_t b = 0; b < (uint32_t)n; b++) {
        uint32_t drawn = mix(base + 0x9E3779B9u * (first + b * step));
        keep[b] = (float)(int32_t)(drawn >> 8) * 0x1p-24f >= p ? scale : 0;
    }
}

INLINE void kept_of(long n, const real *keep, real *X) {
    for (long b = 0; b < n; b++) X[b] = keep[b] == 0 ? 0 : X[b] * keep[b];
}

/* X [features, time, padded] in place; the mask is of the order whose steps are by_time and by_sample, features next to another.
   The way back is the same. */
static void drop_rows(const Drop *d, long features, long time, long by_time, long by_sample, long padded, real *X, long run,
                      real *keep) {
    if (d->share == 0) return;
    for (long f = 0; f < features; f++)
        for (long t = 0; t < time; t++) {
            keep_row(d, f + t * by_time, by_sample, padded, keep);
            kept_of(padded, keep, X + f * run + t * padded);
        }
}
