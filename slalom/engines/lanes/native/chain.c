/* A chain of layers over lanes: losses and gradients of a batch, or outputs. One lane after another: its activations, and for
   small networks its weights too, stay in the core's own cache. */

/* Loss of outputs Z [out, batch] and its gradient D; as torch, an IGNORED target counts as a sample without loss. */
static real cross_entropy(long out, const Lane *s, const real *Z, const int64_t *y, real *D) {
    long B = s->padded;
    real *most = s->each, *norm = s->each + B;
    double sum = 0;
    for (long b = 0; b < B; b++) most[b] = Z[b], norm[b] = 0;
    for (long c = 1; c < out; c++)
        for (long b = 0; b < B; b++) most[b] = Z[c * B + b] > most[b] ? Z[c * B + b] : most[b];
    for (long c = 0; c < out; c++)
        for (long b = 0; b < B; b++) norm[b] += D[c * B + b] = exponential(Z[c * B + b] - most[b]);
    for (long b = 0; b < B; b++) {
        int counts = b < s->batch && y[b] != IGNORED;
        if (counts) sum += log(norm[b]) + most[b] - Z[y[b] * B + b];
        norm[b] = counts ? 1 / (norm[b] * s->batch) : 0;
    }
    for (long c = 0; c < out; c++)
        for (long b = 0; b < B; b++) D[c * B + b] = norm[b] == 0 ? 0 : D[c * B + b] * norm[b];
    for (long b = 0; b < s->batch; b++)
        if (y[b] != IGNORED) D[y[b] * B + b] -= R(1) / s->batch;
    return sum / s->batch;
}

static real squared_error(long out, const Lane *s, const real *Z, const real *y, real *D) {
    long B = s->padded;
    double sum = 0;
    real share = R(2) / ((double)s->batch * out);
    for (long c = 0; c < out; c++)
        for (long b = 0; b < B; b++) {
            real d = b < s->batch ? Z[c * B + b] - y[b * out + c] : 0;
            sum += (double)d * d;
            D[c * B + b] = share * d;
        }
    return sum / ((double)s->batch * out);
}

/* ---- a lane's memory, laid out for batches of one size ---- */

typedef struct {
    Lane s;
    const Layer *layer;
    long layers;
    real *A[MOST + 1], *K[MOST], *d, *e, *y; /* activations; what each layer keeps; gradients; targets */
    const real *frame, *at; /* where lanes are on a plane of parameters, see Call; null elsewhere */
    real *first;
    long row;
} Work;

/* What a layer keeps for its way back: patches, places of maxima, masks or statistics (and those that ran before the step). */
static long kept(const Layer *l, long padded) {
    switch (l->kind) {
        case CONV: return l->channels * l->kernel_height * l->kernel_width * l->out_height * l->out_width * padded;
        case MAX_POOL: return l->out * padded;
        case DROPOUT: return l->in * padded;
        case BATCH_NORM: return vectors(4 * l->channels);
        case LAYER_NORM: return 4 * padded;
        default: return 0;
    }
}

static long workspace(const Layer *l, long batch, long padded) {
    if (l->kind == CONV) return kept(l, padded);
    if (l->kind != LINEAR) return 0;
    long rows = batch * vectors(l->in), weights = turned(l) ? l->in * l->out : 0;
    return rows > weights ? rows : weights;
}

static long targets(const Layer *last, long batch) { /* one number a place, or an int64 a sample */
    return vectors(batch * (last->out < 2 ? 2 : last->out));
}

int64_t slalom_memory(int64_t layers, const Layer *layer, int64_t batch) {
    long padded = vectors(batch), most = layer->in * padded, work = 0, all = layer->in * padded + batch * vectors(layer->in);
    for (long i = 0; i < layers; i++) {
        const Layer *l = layer + i;
        all += kept(l, padded) + (l->in_place ? 0 : l->out * padded);
        most = l->out * padded > most ? l->out * padded : most;
        work = workspace(l, batch, padded) > work ? workspace(l, batch, padded) : work;
    }
    return all + 2 * most + 2 * padded + targets(layer + layers - 1, batch) + work + 2 * V;
}

static void lay_out(Work *w, long layers, const Layer *layer, long batch, int training, real *memory) {
    long padded = vectors(batch), most = layer->in * padded;
    real *free = (real *)(((uintptr_t)memory + BYTES - 1) / BYTES * BYTES);
#define TAKE(size) (free += (size), free - (size))
    w->layer = layer, w->layers = layers, w->frame = 0;
    w->A[0] = TAKE(layer->in * padded);
    for (long i = 0; i < layers; i++) {
        const Layer *l = layer + i;
        w->A[i + 1] = l->in_place ? w->A[i] : TAKE(l->out * padded);
        w->K[i] = TAKE(kept(l, padded));
        most = l->out * padded > most ? l->out * padded : most;
    }
    w->d = TAKE(most), w->e = TAKE(most);
    w->y = TAKE(targets(layer + layers - 1, batch));
    w->s = (Lane){.batch = batch, .padded = padded, .training = training};
    w->s.each = TAKE(2 * padded), w->s.rows = TAKE(batch * vectors(layer->in)), w->s.scratch = free;
}

/* The samples at these places of x (null: the first ones) become the inputs. */
static void inputs(Work *w, const real *x, const int64_t *index) {
    long features = w->layer->in, width = vectors(features), batch = w->s.batch, padded = w->s.padded;
    for (long b = 0; b < batch; b++)
        memcpy(w->s.rows + b * width, x + (index ? index[b] : b) * features, features * sizeof(real));
    transpose(w->s.rows, batch, features, width, w->A[0], padded);
    for (long f = 0; f < features && batch < padded; f++) memset(w->A[0] + f * padded + batch, 0, (padded - batch) * sizeof(real));
}

/* The first layer, linear, of the lanes on a plane: run once for the frame, combined for each lane. */
static void on_plane(Work *w, long q) {
    const real *a = w->at + 2 * q;
    long n = w->layer->out * w->s.padded;
    for (long k = 0; k < 3 && q == 0; k++) linear(w->layer, &w->s, w->frame + k * w->row, w->A[0], w->first + k * n);
    for (long i = 0; i < n; i++) w->A[1][i] = w->first[i] + a[0] * w->first[n + i] + a[1] * w->first[2 * n + i];
}

/* `buffers`: running mean and variance of each BatchNorm, [lanes, channels]; a dropout's own shares, [lanes]. */
static void forward(Work *w, const real *P, real *const *buffers, long q) {
    const Lane *s = &w->s;
    for (long i = 0; i < w->layers; i++) {
        const Layer *l = w->layer + i;
        real *X = w->A[i], *Y = w->A[i + 1];
        switch (l->kind) {
            case LINEAR:
                if (i == 0 && w->frame)
                    on_plane(w, q);
                else
                    linear(l, s, P, X, Y);
                break;
            case CONV: conv(l, s, P, X, Y, w->K[i], s->shared && i == 0); break;
            case ELEMENTWISE: apply(l->function, l->in * s->padded, X, Y, l->a, l->b); break;
            case PRELU: prelu(l, s, P, X, Y); break;
            case BATCH_NORM:
                batch_norm(l, s, P, X, Y, buffers[2 * l->buffer] + q * l->channels,
                           buffers[2 * l->buffer + 1] + q * l->channels, w->K[i]);
                break;
            case LAYER_NORM: layer_norm(l, s, P, X, Y, w->K[i]); break;
            case DROPOUT:
                if (s->training)
                    dropout(l, s, l->buffer ? buffers[l->buffer - 1][q] : l->a, X, Y, w->K[i]);
                else
                    memcpy(Y, X, l->in * s->padded * sizeof(real));
                break;
            case MAX_POOL: max_pool(l, s, X, Y, w->K[i]); break;
            case MEAN_POOL: mean_pool(l, s, X, Y); break;
        }
    }
}

static real loss_of(Work *w, long loss, const void *y) {
    long n = w->layers, out = w->layer[n - 1].out;
    return loss == CROSS_ENTROPY ? cross_entropy(out, &w->s, w->A[n], y, w->d) : squared_error(out, &w->s, w->A[n], y, w->d);
}

/* From the loss's gradient in w->d to that of every parameter, G. */
static void backward(Work *w, const real *P, real *G) {
    const Lane *s = &w->s;
    real *d = w->d, *e = w->e;
    for (long i = w->layers - 1; i >= 0; i--) {
        const Layer *l = w->layer + i;
        real *X = w->A[i], *Y = w->A[i + 1], *dX = i ? e : 0;
        switch (l->kind) {
            case LINEAR: linear_back(l, s, P, G, X, d, dX); break;
            case CONV: conv_back(l, s, P, G, w->K[i], d, dX); break;
            case ELEMENTWISE: apply_back(l->function, l->in * s->padded, X, Y, d, l->a, l->b); continue;
            case PRELU: prelu_back(l, s, P, G, X, d, dX); break;
            case BATCH_NORM: batch_norm_back(l, s, P, G, X, w->K[i], d, dX); break;
            case LAYER_NORM: layer_norm_back(l, s, P, G, X, w->K[i], d, dX); break;
            case DROPOUT:
                for (long k = 0; k < l->in * s->padded; k++) d[k] = w->K[i][k] == 0 ? 0 : d[k] * w->K[i][k];
                continue;
            case MAX_POOL:
                if (dX) max_pool_back(l, s, w->K[i], d, dX);
                break;
            case MEAN_POOL:
                if (dX) mean_pool_back(l, s, d, dX);
                break;
        }
        if (dX) e = d, d = dX;
    }
}

/* ---- one batch: losses and gradients, or outputs ---- */

typedef struct { /* as chain.py packs it */
    int64_t lanes, layers, batch, shared, loss, row; /* row: numbers in a row of parameters */
    const Layer *layer;
    const real *params, *x; /* x [batch, features], of each lane unless shared */
    const void *y;
    real *grads, *losses, *outputs; /* without grads nothing is trained: outputs [lanes, batch, out], or else losses alone */
    const int64_t *keys;
    real *const *buffers;
    real *memory; /* of `slalom_memory` numbers */
    const real *frame, *at; /* lanes on a plane of parameters: its origin and two directions [3, row], their places [lanes, 2] */
    real *first;            /* room for what a first LINEAR gives at these three, [3, out, padded] */
} Call;

void slalom_run(const Call *call) {
    Work w;
    lay_out(&w, call->layers, call->layer, call->batch, call->grads != 0, call->memory);
    w.frame = call->frame, w.at = call->at, w.first = call->first, w.row = call->row;
    long batch = call->batch, features = call->layer->in, n = call->layers, out = call->layer[n - 1].out;
    for (long q = 0; q < call->lanes; q++) {
        const real *P = call->params + q * call->row;
        long own = call->shared ? 0 : q * batch;
        w.s.shared = q > 0 && call->shared;
        if (!w.s.shared) inputs(&w, call->x + own * features, 0);
        if (call->keys) w.s.key = (uint32_t)call->keys[q];
        forward(&w, P, call->buffers, q);
        if (call->outputs) {
            transpose(w.A[n], out, batch, w.s.padded, call->outputs + q * batch * out, out);
            continue;
        }
        const void *y = call->loss == CROSS_ENTROPY ? (const void *)((const int64_t *)call->y + own)
                                                    : (const void *)((const real *)call->y + own * out);
        call->losses[q] = loss_of(&w, call->loss, y);
        if (call->grads) backward(&w, P, call->grads + q * call->row);
    }
}

/* Calls of their own: lanes of different chains, one after another. */
void slalom_run_each(int64_t calls, const Call *call) {
    for (long i = 0; i < calls; i++) slalom_run(call + i);
}
