/* A layer of a transformer encoder: self-attention, a residual, LayerNorm, two dense layers, a residual, LayerNorm; or each
   LayerNorm ahead of what it serves. */

enum { IN_WEIGHT, IN_BIAS, OUT_WEIGHT, OUT_BIAS, UP_WEIGHT, UP_BIAS, DOWN_WEIGHT, DOWN_BIAS, NORM1_WEIGHT, NORM1_BIAS,
       NORM2_WEIGHT, NORM2_BIAS, PARAMETERS };

typedef struct { /* as encoder.py packs it */
    int64_t lanes, time, batch, width, heads, inner, function, first, keep, site; /* first: LayerNorm first; site: of dropout */
    int64_t x_lane, x_time, x_sample, out_lane, out_time, out_sample, dx_lane, dx_time, dx_sample, d_lane, d_time, d_sample;
    int64_t mask_time, mask_sample; /* rows from one to the next where dropout draws */
    int64_t by_lane[PARAMETERS];
    const real *params[PARAMETERS], *x, *mask;
    const int64_t *keys;
    real *out, *kept, *scratch;
    const real *d_out;
    real *dx, *grads[PARAMETERS];
    double eps[2], shares[4]; /* of attention, after it, between the dense layers, after them */
} Encoder;

typedef struct { /* where things lie in what a lane keeps */
    long padded, n, run, weights, QKV, P, O, R1, N1, S1, U, H, R2, S2, size;
} Room;

static Room room(const Encoder *e) {
    Room o = {.padded = vectors(e->batch)};
    o.n = e->time * o.padded, o.run = row_of(o.n), o.weights = e->time * e->time * o.padded;
    long d = e->width * o.run;
    o.QKV = d, o.P = o.QKV + 3 * d, o.O = o.P + e->heads * o.weights, o.R1 = o.O + d, o.N1 = o.R1 + d, o.S1 = o.N1 + d;
    o.U = o.S1 + 2 * o.n;
    o.H = e->function == RELU ? o.U : o.U + e->inner * o.run; /* relu's slope is known from what it gives */
    o.R2 = o.H + e->inner * o.run, o.S2 = o.R2 + d, o.size = o.S2 + 2 * o.n;
    return o;
}

int64_t slalom_encoder_kept(const Encoder *e) { return room(e).size; }

int64_t slalom_encoder_scratch(const Encoder *e) {
    Room o = room(e);
    return (7 * e->width + e->inner) * o.run + 3 * o.weights + 3 * o.padded + V;
}

static Heads heads_of(const Encoder *e, const Room o, uint32_t key) {
    return (Heads){e->time, e->batch, o.padded, o.n, o.run, e->width, e->heads, e->mask, {key, e->site, e->shares[0]}};
}

/* The dropouts of a layer take sites in the order in which they come; those that drop nothing take none. */
static Drop dropout_of(const Encoder *e, uint32_t key, int which) {
    long site = e->site;
    for (int i = 0; i < which; i++) site += e->shares[i] > 0;
    return (Drop){key, site, e->shares[which]};
}

static void dense(long out, long in, const Room o, const real *W, const real *b, const real *X, real *Y) {
    product(out, o.n, in, W, in, 1, X, o.run, Y, o.run, b);
}

#define DROP(which, features, X)                                                                                             \
    {                                                                                                                        \
        Drop drop = dropout_of(e, key, which);                                                                               \
        drop_rows(&drop, features, e->time, (features) * e->mask_time, (features) * e->mask_sample, o.padded, X, o.run, each);                         \
    }

/* Y: where the output goes, and meanwhile what is added to a residual. */
static void encoder_lane(const Encoder *e, const Room o, const real *const *P, uint32_t key, real *k, real *Y, real *scratch) {
    long d = e->width;
    real *X = k, *R1 = k + o.R1, *N1 = k + o.N1, *U = k + o.U, *H = k + o.H, *R2 = k + o.R2, *each = scratch + 2 * o.weights;
    Heads a = heads_of(e, o, key);
    if (e->first) norm_rows(d, o.n, o.run, X, P[NORM1_WEIGHT], P[NORM1_BIAS], e->eps[0], N1, k + o.S1);
    dense(3 * d, d, o, P[IN_WEIGHT], P[IN_BIAS], e->first ? N1 : X, k + o.QKV);
    heads(&a, k + o.QKV, k + o.P, k + o.O, scratch, each);
    dense(d, d, o, P[OUT_WEIGHT], P[OUT_BIAS], k + o.O, R1);
    DROP(1, d, R1)
    add_rows(d, o.n, o.run, X, R1);
    if (e->first)
        norm_rows(d, o.n, o.run, R1, P[NORM2_WEIGHT], P[NORM2_BIAS], e->eps[1], R2, k + o.S2);
    else
        norm_rows(d, o.n, o.run, R1, P[NORM1_WEIGHT], P[NORM1_BIAS], e->eps[0], N1, k + o.S1);
    dense(e->inner, d, o, P[UP_WEIGHT], P[UP_BIAS], e->first ? R2 : N1, U);
    for (long f = 0; f < e->inner; f++) apply(e->function, o.n, U + f * o.run, H + f * o.run, 0, 0);
    DROP(2, e->inner, H)
    dense(d, e->inner, o, P[DOWN_WEIGHT], P[DOWN_BIAS], H, e->first ? Y : R2);
    DROP(3, d, e->first ? Y : R2)
    add_rows(d, o.n, o.run, e->first ? R1 : N1, e->first ? Y : R2);
    if (!e->first) norm_rows(d, o.n, o.run, R2, P[NORM2_WEIGHT], P[NORM2_BIAS], e->eps[1], Y, k + o.S2);
}

static void parameters_of(const Encoder *e, long q, const real **P) {
    for (long i = 0; i < PARAMETERS; i++) P[i] = e->params[i] ? e->params[i] + q * e->by_lane[i] : 0;
}

void slalom_encoder(const Encoder *e) {
    const Room o = room(e);
    const real *P[PARAMETERS];
    real *Y = e->scratch;
    for (long q = 0; q < e->lanes; q++) {
        real *k = e->kept + (e->keep ? q * o.size : 0);
        parameters_of(e, q, P);
        sequence_in(e->x + q * e->x_lane, e->time, e->x_time, e->batch, e->x_sample, e->width, o.padded, 0, k, o.run);
        encoder_lane(e, o, P, e->keys ? (uint32_t)e->keys[q] : 0, k, Y, Y + e->width * o.run);
        sequence_out(Y, o.run, e->time, e->out_time, e->batch, e->out_sample, e->width, o.padded, 0, e->out + q * e->out_lane);
    }
}

/* D [width, n]: the gradient of the output, then of the input. */
static void encoder_lane_back(const Encoder *e, const Room o, const real *const *P, real *const *G, uint32_t key, const real *k, real *D,
                              real *scratch) {
    long d = e->width, size = d * o.run, bytes = size * sizeof(real);
    const real *X = k, *R1 = k + o.R1, *N1 = k + o.N1, *R2 = k + o.R2;
    real *E = scratch, *F = E + size, *Z = F + size, *dU = Z + 3 * size, *work = dU + e->inner * o.run, *each = work + 3 * o.weights;
    Heads a = heads_of(e, o, key);
    if (!e->first)
        norm_rows_back(d, o.n, o.run, R2, P[NORM2_WEIGHT], k + o.S2, D, G[NORM2_WEIGHT], G[NORM2_BIAS], D);
    memcpy(F, D, bytes);
    DROP(3, d, F)
    dense_back(d, e->inner, o.n, o.run, P[DOWN_WEIGHT], k + o.H, F, G[DOWN_WEIGHT], G[DOWN_BIAS], dU);
    DROP(2, e->inner, dU)
    for (long f = 0; f < e->inner; f++)
        apply_back(e->function, o.n, k + o.U + f * o.run, k + o.H + f * o.run, dU + f * o.run, 0, 0);
    dense_back(e->inner, d, o.n, o.run, P[UP_WEIGHT], e->first ? R2 : N1, dU, G[UP_WEIGHT], G[UP_BIAS], E);
    if (e->first) {
        norm_rows_back(d, o.n, o.run, R1, P[NORM2_WEIGHT], k + o.S2, E, G[NORM2_WEIGHT], G[NORM2_BIAS], E);
        add_rows(d, o.n, o.run, E, D);
    } else {
        add_rows(d, o.n, o.run, E, D);
        norm_rows_back(d, o.n, o.run, R1, P[NORM1_WEIGHT], k + o.S1, D, G[NORM1_WEIGHT], G[NORM1_BIAS], D);
    }
    memcpy(F, D, bytes);
    DROP(1, d, F)
    dense_back(d, d, o.n, o.run, P[OUT_WEIGHT], k + o.O, F, G[OUT_WEIGHT], G[OUT_BIAS], E);
    heads_back(&a, k + o.QKV, k + o.P, E, Z, work, each);
    dense_back(3 * d, d, o.n, o.run, P[IN_WEIGHT], e->first ? N1 : X, Z, G[IN_WEIGHT], G[IN_BIAS], E);
    if (e->first) norm_rows_back(d, o.n, o.run, X, P[NORM1_WEIGHT], k + o.S1, E, G[NORM1_WEIGHT], G[NORM1_BIAS], E);
    add_rows(d, o.n, o.run, E, D);
}

void slalom_encoder_back(const Encoder *e) {
    const Room o = room(e);
    long d = e->width, f = e->inner;
    long sizes[PARAMETERS] = {3 * d * d, 3 * d, d * d, d, f * d, f, d * f, d, d, d, d, d};
    const real *P[PARAMETERS];
    real *G[PARAMETERS], *D = e->scratch;
    for (long q = 0; q < e->lanes; q++) {
        parameters_of(e, q, P);
        for (long i = 0; i < PARAMETERS; i++) G[i] = e->grads[i] ? e->grads[i] + q * sizes[i] : 0;
        sequence_in(e->d_out + q * e->d_lane, e->time, e->d_time, e->batch, e->d_sample, d, o.padded, 0, D, o.run);
        encoder_lane_back(e, o, P, G, e->keys ? (uint32_t)e->keys[q] : 0, e->kept + q * o.size, D, D + d * o.run);
        sequence_out(D, o.run, e->time, e->dx_time, e->batch, e->dx_sample, d, o.padded, 0, e->dx + q * e->dx_lane);
    }
}
