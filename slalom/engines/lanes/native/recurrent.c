/* One direction of a recurrent layer over all time steps: GRU, LSTM, or the plain cell with tanh or relu.

   The inputs' part of the gates is one product over all time steps, as is every weight gradient; the loop does the rest. A row of
   states H (and of the LSTM's memory C) has a step more than the gates: the initial one, first. */

enum { GRU_CELL, LSTM_CELL, TANH_CELL, RELU_CELL };
static const long GATES[] = {3, 4, 1, 1};

typedef struct { /* as recurrent.py packs it */
    int64_t lanes, time, batch, in, hidden, kind, reverse, keep;
    int64_t x_lane, x_time, x_sample, out_lane, out_time, out_sample, dx_lane, dx_time, dx_sample, d_lane, d_time, d_sample;
    int64_t by_lane[4]; /* from one lane's parameters to the next's: input weights, recurrent weights, their biases */
    const real *params[4], *x, *h, *c; /* h, c [lanes, batch, hidden]: at the start */
    real *out, *last_h, *last_c, *kept, *scratch;
    const real *d_out, *d_last_h, *d_last_c;
    real *dx, *dh, *dc, *grads[4];
} Recurrent;

typedef struct { /* where things lie in what a lane keeps */
    long padded, n, run, longer, gates, X, G, N, H, size;
} Places;

static Places places(const Recurrent *r) {
    Places p = {.padded = vectors(r->batch)};
    p.n = r->time * p.padded, p.run = row_of(p.n), p.longer = row_of(p.n + p.padded), p.gates = GATES[r->kind] * r->hidden;
    p.G = r->in * p.run;
    p.N = p.G + p.gates * p.run; /* the GRU's hidden part of the new gate, or the LSTM's memory */
    p.H = p.N + (r->kind == GRU_CELL ? r->hidden * p.run : r->kind == LSTM_CELL ? r->hidden * p.longer : 0);
    p.size = p.H + r->hidden * p.longer;
    return p;
}

int64_t slalom_recurrent_kept(const Recurrent *r) { return places(r).size; }

int64_t slalom_recurrent_scratch(const Recurrent *r) {
    Places p = places(r);
    return p.gates * p.padded + 4 * r->hidden * p.padded + p.gates + (r->in + r->hidden) * p.run + V;
}

#define UNITS(...)                                                                                                           \
    for (long u = 0; u < r->hidden; u++)                                                                                     \
        _Pragma("GCC ivdep") for (long b = 0; b < p.padded; b++) { __VA_ARGS__ }
#define OWN(gate) own[((gate) * r->hidden + u) * p.padded + b]
#define GATE(gate) g[((gate) * r->hidden + u) * p.run + b]

static void recurrent_steps(const Recurrent *r, const Places p, const real *const *P, real *kept, real *own, real *bias) {
    real *G = kept + p.G, *N = kept + p.N, *H = kept + p.H;
    const real *inner = P[3];
    if (r->kind != GRU_CELL) { /* both biases at once */
        for (long i = 0; i < p.gates; i++) bias[i] = (P[2] ? P[2][i] : 0) + (P[3] ? P[3][i] : 0);
        inner = 0;
    }
    product(p.gates, p.n, r->in, P[0], r->in, 1, kept + p.X, p.run, G, p.run, r->kind == GRU_CELL ? P[2] : bias);
    for (long t = 0; t < r->time; t++) {
        real *g = G + t * p.padded, *h = H + t * p.padded, *next = h + p.padded;
        product(p.gates, p.padded, r->hidden, P[1], r->hidden, 1, h, p.longer, own, p.padded, inner);
        if (r->kind == GRU_CELL) {
            real *hidden = N + t * p.padded;
            UNITS(real reset = logistic(GATE(0) + OWN(0)), update = logistic(GATE(1) + OWN(1)), part = OWN(2);
                  real new = tangent(GATE(2) + reset * part); GATE(0) = reset; GATE(1) = update; GATE(2) = new;
                  hidden[u * p.run + b] = part; next[u * p.longer + b] = new + update * (h[u * p.longer + b] - new);)
        } else if (r->kind == LSTM_CELL) {
            real *c = N + t * p.padded, *c_next = c + p.padded;
            UNITS(real in = logistic(GATE(0) + OWN(0)), forget = logistic(GATE(1) + OWN(1)), cell = tangent(GATE(2) + OWN(2)),
                  out = logistic(GATE(3) + OWN(3)), sum = forget * c[u * p.longer + b] + in * cell; GATE(0) = in;
                  GATE(1) = forget; GATE(2) = cell; GATE(3) = out; c_next[u * p.longer + b] = sum;
                  next[u * p.longer + b] = out * tangent(sum);)
        } else if (r->kind == TANH_CELL) {
            UNITS(next[u * p.longer + b] = tangent(GATE(0) + OWN(0));)
        } else {
            UNITS(real sum = GATE(0) + OWN(0); next[u * p.longer + b] = sum < 0 ? 0 : sum;)
        }
    }
}

void slalom_recurrent(const Recurrent *r) {
    const Places p = places(r);
    long state = r->batch * r->hidden;
    real *own = r->scratch, *bias = own + p.gates * p.padded;
    for (long q = 0; q < r->lanes; q++) {
        const real *P[4];
        for (long i = 0; i < 4; i++) P[i] = r->params[i] ? r->params[i] + q * r->by_lane[i] : 0;
        real *kept = r->kept + (r->keep ? q * p.size : 0), *H = kept + p.H, *C = kept + p.N;
        sequence_in(r->x + q * r->x_lane, r->time, r->x_time, r->batch, r->x_sample, r->in, p.padded, r->reverse, kept + p.X, p.run);
        sequence_in(r->h + q * state, 1, 0, r->batch, r->hidden, r->hidden, p.padded, 0, H, p.longer);
        if (r->kind == LSTM_CELL)
            sequence_in(r->c + q * state, 1, 0, r->batch, r->hidden, r->hidden, p.padded, 0, C, p.longer);
        recurrent_steps(r, p, P, kept, own, bias);
        sequence_out(H + p.padded, p.longer, r->time, r->out_time, r->batch, r->out_sample, r->hidden, p.padded, r->reverse,
                     r->out + q * r->out_lane);
        sequence_out(H + p.n, p.longer, 1, 0, r->batch, r->hidden, r->hidden, p.padded, 0, r->last_h + q * state);
        if (r->kind == LSTM_CELL)
            sequence_out(C + p.n, p.longer, 1, 0, r->batch, r->hidden, r->hidden, p.padded, 0, r->last_c + q * state);
    }
}

/* Gates become their own gradients, in place; dh, dc [hidden, padded]: of the last states, then of the first. */
static void recurrent_steps_back(const Recurrent *r, const Places p, const real *const *P, real *kept, const real *dY, real *own,
                                 real *past, real *dh, real *dc) {
    real *G = kept + p.G, *N = kept + p.N, *H = kept + p.H;
    memset(past, 0, r->hidden * p.padded * sizeof(real));
    for (long t = r->time - 1; t >= 0; t--) {
        real *g = G + t * p.padded, *h = H + t * p.padded, *next = h + p.padded;
        const real *dy = dY + t * p.padded;
#define DH real d = dh[u * p.padded + b] + past[u * p.padded + b] + dy[u * p.run + b];
        if (r->kind == GRU_CELL) {
            real *hidden = N + t * p.padded;
            UNITS(DH real reset = GATE(0), update = GATE(1), new = GATE(2); real at_new = d * (1 - update) * (1 - new * new);
                  real at_update = d * (h[u * p.longer + b] - new) * update * (1 - update);
                  real at_reset = at_new * hidden[u * p.run + b] * reset * (1 - reset); GATE(0) = OWN(0) = at_reset;
                  GATE(1) = OWN(1) = at_update; GATE(2) = at_new; OWN(2) = hidden[u * p.run + b] = at_new * reset;
                  past[u * p.padded + b] = d * update;)
        } else if (r->kind == LSTM_CELL) {
            real *c = N + t * p.padded, *c_next = c + p.padded;
            UNITS(DH real in = GATE(0), forget = GATE(1), cell = GATE(2), out = GATE(3), active = tangent(c_next[u * p.longer + b]);
                  real e = dc[u * p.padded + b] + d * out * (1 - active * active); GATE(0) = OWN(0) = e * cell * in * (1 - in);
                  GATE(1) = OWN(1) = e * c[u * p.longer + b] * forget * (1 - forget);
                  GATE(2) = OWN(2) = e * in * (1 - cell * cell); GATE(3) = OWN(3) = d * active * out * (1 - out);
                  dc[u * p.padded + b] = e * forget;)
        } else if (r->kind == TANH_CELL) {
            UNITS(DH real y = next[u * p.longer + b]; GATE(0) = OWN(0) = d * (1 - y * y);)
        } else {
            UNITS(DH GATE(0) = OWN(0) = next[u * p.longer + b] <= 0 ? 0 : d;)
        }
        product(r->hidden, p.padded, p.gates, P[1], 1, r->hidden, own, p.padded, dh, p.padded, 0);
    }
    add_rows(r->hidden, p.padded, p.padded, past, dh);
}

void slalom_recurrent_back(const Recurrent *r) {
    const Places p = places(r);
    long state = r->batch * r->hidden, size = r->hidden * p.padded, H = r->hidden;
    real *own = r->scratch, *past = own + p.gates * p.padded, *dh = past + size, *dc = dh + size, *dY = dc + size;
    real *dX = dY + H * p.run;
    long sizes[4] = {p.gates * r->in, p.gates * H, p.gates, p.gates};
    for (long q = 0; q < r->lanes; q++) {
        const real *P[4];
        real *D[4], *kept = r->kept + q * p.size, *G = kept + p.G, *states = kept + p.H;
        for (long i = 0; i < 4; i++) {
            P[i] = r->params[i] ? r->params[i] + q * r->by_lane[i] : 0;
            D[i] = r->params[i] ? r->grads[i] + q * sizes[i] : 0;
        }
        if (r->d_out)
            sequence_in(r->d_out + q * r->d_lane, r->time, r->d_time, r->batch, r->d_sample, H, p.padded, r->reverse, dY, p.run);
        else
            memset(dY, 0, H * p.run * sizeof(real));
        memset(dh, 0, 2 * size * sizeof(real));
        if (r->d_last_h) sequence_in(r->d_last_h + q * state, 1, 0, r->batch, H, H, p.padded, 0, dh, p.padded);
        if (r->d_last_c) sequence_in(r->d_last_c + q * state, 1, 0, r->batch, H, H, p.padded, 0, dc, p.padded);
        recurrent_steps_back(r, p, P, kept, dY, own, past, dh, dc);
        long own_rows = r->kind == GRU_CELL ? 2 * H : p.gates; /* of the GRU's new gate, the recurrent part has its own gradient */
        outer(own_rows, H, p.n, G, p.run, states, p.longer, D[1], H);
        if (own_rows < p.gates) outer(H, H, p.n, kept + p.N, p.run, states, p.longer, D[1] + own_rows * H, H);
        dense_back(p.gates, r->in, p.n, p.run, P[0], kept + p.X, G, D[0], D[2], r->dx ? dX : 0);
        if (D[3]) {
            memcpy(D[3], D[2], own_rows * sizeof(real));
            if (own_rows < p.gates) row_sums(H, p.n, p.run, kept + p.N, D[3] + own_rows);
        }
        sequence_out(dh, p.padded, 1, 0, r->batch, H, H, p.padded, 0, r->dh + q * state);
        if (r->dc) sequence_out(dc, p.padded, 1, 0, r->batch, H, H, p.padded, 0, r->dc + q * state);
        if (r->dx)
            sequence_out(dX, p.run, r->time, r->dx_time, r->batch, r->dx_sample, r->in, p.padded, r->reverse, r->dx + q * r->dx_lane);
    }
}
