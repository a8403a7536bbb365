/* The layers of a chain, forward and backward, for one lane. Activations are [features, batch], `padded` numbers a row, a
   multiple of a vector; a picture's features are [channels, height, width]. Gradients beyond the batch are 0.

   `Layer`, the kinds and the limits are declared by chain.py, from layers.py. `buffer`: which pair of running statistics; of a
   linear layer, whether it is the first. */

typedef struct { /* what a lane's layers share */
    long batch, padded;
    uint32_t key;
    real *scratch, *each, *rows; /* each: two numbers a sample; rows: the inputs of the first layer [batch, features] */
    int training, shared;        /* shared: these are those of the lane before */
} Lane;

static long vectors(long n) { return (n + V - 1) / V * V; }

/* ---- linear ---- */

static void linear(const Layer *l, const Lane *s, const real *P, const real *X, real *Y) {
    product(l->out, s->padded, l->in, P + l->weight, l->in, 1, X, s->padded, Y, s->padded, l->bias < 0 ? 0 : P + l->bias);
}

static void bias_back(long out, long run, const real *dY, real *G) {
    for (long o = 0; o < out; o++) {
        vec sum = {};
        for (long i = 0; i < run; i += V) sum += *(const vec *)(dY + o * run + i);
        G[o] = total(sum);
    }
}

/* Whether weights are so many that reading them by columns, a cache line for every number, costs more than to turn them first
   (256 x 256, 128 samples: 174 us to 120). */
static int turned(const Layer *l) { return l->in * l->out >= 1L << 14; }

static void linear_back(const Layer *l, const Lane *s, const real *P, real *G, const real *X, const real *dY, real *dX) {
    long width = vectors(l->in);
    if (!l->buffer) transpose(X, l->in, s->batch, s->padded, s->scratch, width);
    product(l->out, l->in, s->batch, dY, s->padded, 1, l->buffer ? s->rows : s->scratch, width, G + l->weight, l->in, 0);
    if (l->bias >= 0) bias_back(l->out, s->padded, dY, G + l->bias);
    if (dX && turned(l)) {
        transpose(P + l->weight, l->out, l->in, l->in, s->scratch, l->out);
        product(l->in, s->padded, l->out, s->scratch, l->out, 1, dY, s->padded, dX, s->padded, 0);
    } else if (dX)
        product(l->in, s->padded, l->out, P + l->weight, 1, l->in, dY, s->padded, dX, s->padded, 0);
}

/* ---- convolution: the patches as a matrix [channels * kernel, positions * batch] ---- */

#define PATCHES(DO)                                                                                                          \
    for (long c = 0; c < l->channels; c++)                                                                                   \
        for (long u = 0; u < l->kernel_height; u++)                                                                          \
            for (long v = 0; v < l->kernel_width; v++)                                                                       \
                for (long i = 0; i < l->out_height; i++)                                                                     \
                    for (long j = 0; j < l->out_width; j++) {                                                                \
                        long row = i * l->stride_height + u - l->pad_height, col = j * l->stride_width + v - l->pad_width;   \
                        long inside = row >= 0 && row < l->height && col >= 0 && col < l->width;                             \
                        long from = ((c * l->height + row) * l->width + col) * s->padded;                                    \
                        long to = (((c * l->kernel_height + u) * l->kernel_width + v) * l->out_height * l->out_width +       \
                                   i * l->out_width + j) * s->padded;                                                        \
                        DO                                                                                                   \
                    }

static void patches(const Layer *l, const Lane *s, const real *X, real *D) {
    PATCHES(if (inside) memcpy(D + to, X + from, s->padded * sizeof(real)); else memset(D + to, 0, s->padded * sizeof(real));)
}

static void patches_back(const Layer *l, const Lane *s, const real *D, real *dX) {
    memset(dX, 0, l->in * s->padded * sizeof(real));
    PATCHES(if (inside) for (long b = 0; b < s->padded; b += V) * (vec *)(dX + from + b) += *(const vec *)(D + to + b);)
}

static void conv(const Layer *l, const Lane *s, const real *P, const real *X, real *Y, real *D, int known) {
    long taps = l->channels * l->kernel_height * l->kernel_width, run = l->out_height * l->out_width * s->padded;
    if (!known) patches(l, s, X, D);
    product(l->out / (l->out_height * l->out_width), run, taps, P + l->weight, taps, 1, D, run, Y, run,
            l->bias < 0 ? 0 : P + l->bias);
}

static void conv_back(const Layer *l, const Lane *s, const real *P, real *G, const real *D, const real *dY, real *dX) {
    long taps = l->channels * l->kernel_height * l->kernel_width, run = l->out_height * l->out_width * s->padded;
    long filters = l->out / (l->out_height * l->out_width);
    outer(filters, taps, run, dY, run, D, run, G + l->weight, taps);
    if (l->bias >= 0) bias_back(filters, run, dY, G + l->bias);
    if (dX) {
        product(taps, run, filters, P + l->weight, 1, taps, dY, run, s->scratch, run, 0);
        patches_back(l, s, s->scratch, dX);
    }
}

/* ---- pooling ---- */

#define WINDOWS(BODY)                                                                                                        \
    for (long c = 0; c < l->channels; c++)                                                                                   \
        for (long i = 0; i < l->out_height; i++)                                                                             \
            for (long j = 0; j < l->out_width; j++) {                                                                        \
                long at = ((c * l->out_height + i) * l->out_width + j) * s->padded;                                          \
                BODY                                                                                                         \
            }
#define TAPS(BODY)                                                                                                           \
    for (long u = 0; u < l->kernel_height; u++)                                                                              \
        for (long v = 0; v < l->kernel_width; v++) {                                                                         \
            long row = i * l->stride_height + u - l->pad_height, col = j * l->stride_width + v - l->pad_width;               \
            if (row < 0 || row >= l->height || col < 0 || col >= l->width) continue;                                         \
            long from = ((c * l->height + row) * l->width + col) * s->padded;                                                \
            real which = u * l->kernel_width + v;                                                                            \
            (void)which;                                                                                                     \
            BODY                                                                                                             \
        }

static void max_pool(const Layer *l, const Lane *s, const real *X, real *Y, real *which_one) {
    WINDOWS(int first = 1; TAPS(
        for (long b = 0; b < s->padded; b++) {
            real x = X[from + b];
            int take = first || x > Y[at + b] || x != x;
            Y[at + b] = take ? x : Y[at + b];
            which_one[at + b] = take ? which : which_one[at + b];
        }
        first = 0;))
}

static void max_pool_back(const Layer *l, const Lane *s, const real *which_one, const real *dY, real *dX) {
    memset(dX, 0, l->in * s->padded * sizeof(real));
    WINDOWS(TAPS(for (long b = 0; b < s->padded; b++) dX[from + b] += which_one[at + b] == which ? dY[at + b] : 0;))
}

static void mean_pool(const Layer *l, const Lane *s, const real *X, real *Y) {
    real share = R(1) / (l->kernel_height * l->kernel_width);
    WINDOWS(for (long b = 0; b < s->padded; b++) Y[at + b] = 0; TAPS(for (long b = 0; b < s->padded; b++) Y[at + b] += X[from + b];)
                for (long b = 0; b < s->padded; b++) Y[at + b] *= share;)
}

static void mean_pool_back(const Layer *l, const Lane *s, const real *dY, real *dX) {
    real share = R(1) / (l->kernel_height * l->kernel_width);
    memset(dX, 0, l->in * s->padded * sizeof(real));
    WINDOWS(TAPS(for (long b = 0; b < s->padded; b++) dX[from + b] += share * dY[at + b];))
}

/* ---- normalisation: `kept` holds mean and 1 / deviation ---- */

static void batch_norm(const Layer *l, const Lane *s, const real *P, const real *X, real *Y, real *running_mean,
                       real *running_variance, real *kept) {
    long places = l->in / l->channels;
    double n = (double)places * s->batch;
    for (long c = 0; c < l->channels; c++) {
        const real *x = X + c * places * s->padded;
        real *y = Y + c * places * s->padded, mean, variance;
        if (s->training) {
            double sum = 0, squares = 0;
            for (long i = 0; i < places; i++)
                for (long b = 0; b < s->batch; b++) sum += x[i * s->padded + b];
            double middle = sum / n;
            for (long i = 0; i < places; i++)
                for (long b = 0; b < s->batch; b++) {
                    double d = x[i * s->padded + b] - middle;
                    squares += d * d;
                }
            mean = middle, variance = squares / n;
            running_mean[c] += R(l->b) * (mean - running_mean[c]);
            running_variance[c] += R(l->b) * (R(squares / (n - 1)) - running_variance[c]);
        } else
            mean = running_mean[c], variance = running_variance[c];
        real scale = 1 / (sizeof(real) == 8 ? sqrt(variance + l->a) : sqrtf(variance + R(l->a)));
        kept[c] = mean, kept[l->channels + c] = scale;
        real weight = l->weight < 0 ? 1 : P[l->weight + c], bias = l->bias < 0 ? 0 : P[l->bias + c];
        for (long i = 0; i < places * s->padded; i++) y[i] = (x[i] - mean) * scale * weight + bias;
    }
}

static void batch_norm_back(const Layer *l, const Lane *s, const real *P, real *G, const real *X, const real *kept,
                            const real *dY, real *dX) {
    long places = l->in / l->channels;
    double n = (double)places * s->batch;
    for (long c = 0; c < l->channels; c++) {
        const real *x = X + c * places * s->padded, *dy = dY + c * places * s->padded;
        real mean = kept[c], scale = kept[l->channels + c];
        double sum = 0, along = 0;
        for (long i = 0; i < places * s->padded; i++) { /* dY is 0 beyond the batch */
            sum += dy[i];
            along += (double)dy[i] * ((x[i] - mean) * scale);
        }
        if (l->weight >= 0) G[l->weight + c] = along;
        if (l->bias >= 0) G[l->bias + c] = sum;
        if (!dX) continue;
        real *dx = dX + c * places * s->padded, weight = l->weight < 0 ? 1 : P[l->weight + c];
        real shift = sum / n, slope = along / n, factor = weight * scale;
        for (long i = 0; i < places; i++)
            for (long b = 0; b < s->padded; b++) {
                long k = i * s->padded + b;
                dx[k] = b < s->batch ? factor * (dy[k] - shift - (x[k] - mean) * scale * slope) : 0;
            }
    }
}

static void layer_norm(const Layer *l, const Lane *s, const real *P, const real *X, real *Y, real *kept) {
    long B = s->padded;
    real *mean = kept, *scale = kept + B;
    for (long b = 0; b < B; b++) mean[b] = scale[b] = 0;
    for (long f = 0; f < l->in; f++)
        for (long b = 0; b < B; b++) mean[b] += X[f * B + b];
    for (long b = 0; b < B; b++) mean[b] /= l->in;
    for (long f = 0; f < l->in; f++)
        for (long b = 0; b < B; b++) scale[b] += (X[f * B + b] - mean[b]) * (X[f * B + b] - mean[b]);
    for (long b = 0; b < B; b++) scale[b] = 1 / (sizeof(real) == 8 ? sqrt(scale[b] / l->in + l->a) : sqrtf(scale[b] / l->in + R(l->a)));
    for (long f = 0; f < l->in; f++) {
        real weight = l->weight < 0 ? 1 : P[l->weight + f], bias = l->bias < 0 ? 0 : P[l->bias + f];
        for (long b = 0; b < B; b++) Y[f * B + b] = (X[f * B + b] - mean[b]) * scale[b] * weight + bias;
    }
}

static void layer_norm_back(const Layer *l, const Lane *s, const real *P, real *G, const real *X, real *kept, const real *dY,
                            real *dX) {
    long B = s->padded;
    real *mean = kept, *scale = kept + B, *sum = kept + 2 * B, *along = kept + 3 * B;
    for (long b = 0; b < B; b++) sum[b] = along[b] = 0;
    for (long f = 0; f < l->in; f++) {
        real weight = l->weight < 0 ? 1 : P[l->weight + f], gain = 0, offset = 0;
        for (long b = 0; b < B; b++) {
            real dy = dY[f * B + b], unit = (X[f * B + b] - mean[b]) * scale[b];
            gain += dy * unit, offset += dy;
            sum[b] += dy * weight, along[b] += dy * weight * unit;
        }
        if (l->weight >= 0) G[l->weight + f] = gain;
        if (l->bias >= 0) G[l->bias + f] = offset;
    }
    if (!dX) return;
    for (long f = 0; f < l->in; f++) {
        real weight = l->weight < 0 ? 1 : P[l->weight + f];
        for (long b = 0; b < B; b++) {
            real unit = (X[f * B + b] - mean[b]) * scale[b];
            dX[f * B + b] = scale[b] * (dY[f * B + b] * weight - sum[b] / l->in - unit * along[b] / l->in);
        }
    }
}

/* ---- PReLU and dropout ---- */

static void prelu(const Layer *l, const Lane *s, const real *P, const real *X, real *Y) {
    long run = l->in / l->channels * s->padded;
    for (long c = 0; c < l->channels; c++) apply(LEAKY_RELU, run, X + c * run, Y + c * run, P[l->weight + c], 0);
}

static void prelu_back(const Layer *l, const Lane *s, const real *P, real *G, const real *X, const real *dY, real *dX) {
    long run = l->in / l->channels * s->padded;
    for (long c = 0; c < l->channels; c++) {
        real slope = P[l->weight + c], sum = 0;
        for (long i = c * run; i < (c + 1) * run; i++) {
            sum += X[i] > 0 ? 0 : X[i] * dY[i];
            if (dX) dX[i] = X[i] > 0 ? dY[i] : slope * dY[i];
        }
        G[l->weight + c] = sum;
    }
}

static inline uint32_t mix(uint32_t x) { /* counter.py's _mix */
    x ^= x >> 16;
    x *= 0x85EBCA6Bu;
    x ^= x >> 13;
    x *= 0xC2B2AE35u;
    return x ^ (x >> 16);
}

/* The mask of counter.py, drawn for [batch, features]; l->function: numbers that share one draw (a channel's places). */
static void dropout(const Layer *l, const Lane *s, double share, const real *X, real *Y, real *keep) {
    uint32_t base = mix(s->key + 0x632BE5ABu * (uint32_t)(l->site + 1));
    float p = share;
    real scale = 1 / (1 - R(share));
    long draws = l->in / l->function;
    for (long f = 0; f < l->in; f++)
        for (long b = 0; b < s->padded; b++) {
            uint32_t drawn = mix(base + 0x9E3779B9u * (uint32_t)(b * draws + f / l->function));
            keep[f * s->padded + b] = b < s->batch && (float)(drawn >> 8) * 0x1p-24f >= p ? scale : 0;
        }
    for (long i = 0; i < l->in * s->padded; i++) Y[i] = keep[i] == 0 ? 0 : X[i] * keep[i];
}
