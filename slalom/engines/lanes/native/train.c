/* Several steps of some lanes: gather, forward, backward, penalties, clip and update, one lane at a time, so that what a lane
   holds stays in the core's cache. The update is the compiled rule's own `slalom_step` (kernels/source.py), for one row. */

typedef void (*Step)(int64_t n, const int64_t *rows, const int64_t *state_rows, int64_t D, real *P, int64_t p_stride,
                     const real *G, int64_t g_stride, real *const *S, const int64_t *s_strides, const double *coef,
                     const double *scale, const double *clip, const uint8_t *skip, double *squares, uint8_t *status,
                     int threads, real *workspace, double *partial, uint8_t *ok);

typedef struct { /* as block.py packs it; what is of a step and a lane lies at step * across + lane */
    int64_t steps, lanes, across, batch, shared, loss, row, coefficients, by_step, logged;
    const int64_t *layers, *lengths; /* lengths: numbers of a row that are the lane's own; what follows them is not touched */
    const Layer *const *layer;       /* all three of each lane */
    real *params;
    const real *x;
    const void *y;
    const int64_t *index, *keys; /* index: rows of x and y, [step, across, batch], or [step, batch] if shared */
    real *const *buffers;
    const real *l2, *l1; /* [lanes, row] or null */
    Step step;
    real *const *states;
    const int64_t *strides;
    const double *coefficient, *clip; /* [steps, lanes, coefficients]; [lanes] or null */
    uint8_t *live;                    /* [lanes]: cleared where a lane has stopped */
    int64_t *taken; /* [lanes]: how many steps were */
    real *losses;
    double *squares;
    int64_t *wrong; /* a target that is no class: 1, its number */
    real *memory, *grads, *workspace;
    double *partial;
    uint8_t *ok;
} Block;

static int take_targets(const Block *b, Work *w, const int64_t *index) {
    long out = w->layer[w->layers - 1].out;
    if (b->loss != CROSS_ENTROPY) {
        for (long i = 0; i < b->batch; i++) memcpy(w->y + i * out, (const real *)b->y + index[i] * out, out * sizeof(real));
        return 1;
    }
    for (long i = 0; i < b->batch; i++) {
        int64_t y = ((const int64_t *)b->y)[index[i]];
        if ((y < 0 || y >= out) && y != IGNORED) {
            b->wrong[0] = 1, b->wrong[1] = y;
            return 0;
        }
        ((int64_t *)w->y)[i] = y;
    }
    return 1;
}

/* Running statistics before the step, behind what the layer keeps; and back again, for a step that was not taken. */
static void statistics(const Block *b, Work *w, long q, int back) {
    for (long i = 0; i < w->layers; i++) {
        const Layer *l = w->layer + i;
        for (long which = 0; which < 2 && l->kind == BATCH_NORM; which++) {
            real *now = b->buffers[2 * l->buffer + which] + q * l->channels, *saved = w->K[i] + (2 + which) * l->channels;
            memcpy(back ? now : saved, back ? saved : now, l->channels * sizeof(real));
        }
    }
}

static void penalise(const Block *b, const real *P, real *G, long q) {
    for (long i = 0; b->l2 && i < b->lengths[q]; i++) G[i] += b->l2[q * b->row + i] * P[i];
    for (long i = 0; b->l1 && i < b->lengths[q]; i++) G[i] += b->l1[q * b->row + i] * ((P[i] > 0) - (P[i] < 0));
}

/* One step of lane q, from the inputs that are there; whether it was taken. */
static int one_step(const Block *b, Work *w, long k, long q) {
    static const int64_t first = 0;
    long at = k * b->across + q;
    real *P = b->params + q * b->row;
    w->s.key = (uint32_t)b->keys[at];
    statistics(b, w, q, 0);
    forward(w, P, b->buffers, q);
    b->losses[at] = loss_of(w, b->loss, w->y);
    backward(w, P, b->grads);
    penalise(b, P, b->grads, q);
    uint8_t skip = !__builtin_isfinite(b->losses[at]), status;
    int64_t lane = q;
    b->step(1, &first, &lane, b->lengths[q], P, b->row, b->grads, b->row, b->states, b->strides,
            b->coefficient + (k * b->lanes + q) * b->coefficients, 0, b->clip ? b->clip + q : 0, &skip, b->squares + at, &status, 1,
            b->lengths[q] <= b->logged ? b->workspace : 0, b->partial, b->ok);
    if (status) statistics(b, w, q, 1);
    return !status;
}

void slalom_train(const Block *b) {
    Work w = {0};
    long known = -1; /* the step whose inputs are at hand, where lanes share them */
    for (long i = 0; i < b->steps * b->lanes; i++) {
        long k = b->by_step ? i / b->lanes : i % b->steps, q = b->by_step ? i % b->lanes : i / b->steps;
        if (!b->live[q]) continue;
        if (w.layer != b->layer[q]) {
            lay_out(&w, b->layers[q], b->layer[q], b->batch, 1, b->memory);
            known = -1;
        }
        w.s.shared = b->shared && known == k;
        if (!w.s.shared) {
            const int64_t *index = b->index + (b->shared ? k : k * b->across + q) * b->batch;
            inputs(&w, b->x, index);
            if (!take_targets(b, &w, index)) return;
            known = k;
        }
        if (one_step(b, &w, k, q))
            b->taken[q]++;
        else
            b->live[q] = 0;
    }
}
