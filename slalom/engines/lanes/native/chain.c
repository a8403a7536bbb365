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

typedef struct { /* as chain.py packs it */
    int64_t lanes, layers, batch, shared, loss, row; /* row: numbers in a row of parameters */
    const Layer *layer;
    const real *params, *x; /* x [batch, features], of each lane unless shared */
    const void *y;
    real *grads, *losses, *outputs; /* without grads nothing is trained: outputs [lanes, batch, out], or else losses alone */
    const int64_t *keys;
    real *const *buffers; /* running mean and variance of each BatchNorm, [lanes, channels]; a dropout's own shares, [lanes] */
    real *memory;         /* of `slalom_memory` numbers */
    const real *frame, *at; /* lanes on a plane of parameters: its origin and two directions [3, row], their places [lanes, 2];
                               a first LINEAR is run for these three alone */
} Call;

static void on_plane(long n, const real *frame, const real *at, real *Y) {
    for (long i = 0; i < n; i++) Y[i] = frame[i] + at[0] * frame[n + i] + at[1] * frame[2 * n + i];
}

static long vectors(long n) { return (n + V - 1) / V * V; }

/* What a layer keeps for its way back: inputs turned, patches, places of maxima, masks or statistics. */
static long kept(const Layer *l, long batch, long padded) {
    switch (l->kind) {
        case LINEAR: return l->buffer ? batch * vectors(l->in) : 0;
        case CONV: return l->channels * l->kernel_height * l->kernel_width * l->out_height * l->out_width * padded;
        case MAX_POOL: return l->out * padded;
        case DROPOUT: return l->in * padded;
        case BATCH_NORM: return vectors(2 * l->channels);
        case LAYER_NORM: return 4 * padded;
        default: return 0;
    }
}

static long workspace(const Layer *l, long batch, long padded) {
    if (l->kind == CONV) return kept(l, batch, padded);
    return l->kind == LINEAR ? batch * vectors(l->in) : 0;
}

int64_t slalom_memory(int64_t layers, const Layer *layer, int64_t batch) {
    long padded = vectors(batch), most = layer->in * padded, work = 0, all = layer->in * padded;
    if (layer->kind == LINEAR) all += 3 * layer->out * padded;
    for (long i = 0; i < layers; i++) {
        const Layer *l = layer + i;
        all += kept(l, batch, padded) + (l->in_place ? 0 : l->out * padded);
        most = l->out * padded > most ? l->out * padded : most;
        work = workspace(l, batch, padded) > work ? workspace(l, batch, padded) : work;
    }
    return all + 2 * most + 2 * padded + work + 2 * V;
}

void slalom_run(const Call *call) {
    long batch = call->batch, padded = vectors(batch), features = call->layer->in, most = features * padded, n = call->layers;
    real *A[MOST + 1], *K[MOST], *free = (real *)(((uintptr_t)call->memory + BYTES - 1) / BYTES * BYTES);
#define TAKE(size) (free += (size), free - (size))
    A[0] = TAKE(features * padded);
    for (long i = 0; i < n; i++) {
        const Layer *l = call->layer + i;
        A[i + 1] = l->in_place ? A[i] : TAKE(l->out * padded);
        K[i] = TAKE(kept(l, batch, padded));
        most = l->out * padded > most ? l->out * padded : most;
    }
    real *d = TAKE(most), *e = TAKE(most), *each = TAKE(2 * padded), *frame = TAKE(call->frame ? 3 * call->layer->out * padded : 0);
    Lane s = {.batch = batch, .padded = padded, .scratch = free, .each = each, .training = call->grads != 0};
    long out = call->layer[n - 1].out;
    for (long q = 0; q < call->lanes; q++) {
        const real *P = call->params + q * call->row;
        if (q == 0 || !call->shared) {
            if (padded != batch) memset(A[0], 0, features * padded * sizeof(real));
            transpose(call->x + (call->shared ? 0 : q * batch * features), batch, features, features, A[0], padded);
        }
        if (call->keys) s.key = (uint32_t)call->keys[q];
        for (long i = 0; i < n; i++) {
            const Layer *l = call->layer + i;
            real *X = A[i], *Y = A[i + 1];
            s.shared = i == 0 && q > 0 && call->shared;
            if (i == 0 && call->frame) {
                for (long k = 0; k < 3 && q == 0; k++) linear(l, &s, call->frame + k * call->row, X, frame + k * l->out * padded);
                on_plane(l->out * padded, frame, call->at + 2 * q, Y);
                continue;
            }
            switch (l->kind) {
                case LINEAR:
                    if (l->buffer && !s.shared && s.training) transpose(X, l->in, batch, padded, K[i], vectors(l->in));
                    linear(l, &s, P, X, Y);
                    break;
                case CONV: conv(l, &s, P, X, Y, K[i]); break;
                case ELEMENTWISE: apply(l->function, l->in * padded, X, Y, l->a, l->b); break;
                case PRELU: prelu(l, &s, P, X, Y); break;
                case BATCH_NORM:
                    batch_norm(l, &s, P, X, Y, call->buffers[2 * l->buffer] + q * l->channels,
                               call->buffers[2 * l->buffer + 1] + q * l->channels, K[i]);
                    break;
                case LAYER_NORM: layer_norm(l, &s, P, X, Y, K[i]); break;
                case DROPOUT:
                    if (s.training)
                        dropout(l, &s, l->buffer ? call->buffers[l->buffer - 1][q] : l->a, X, Y, K[i]);
                    else
                        memcpy(Y, X, l->in * padded * sizeof(real));
                    break;
                case MAX_POOL: max_pool(l, &s, X, Y, K[i]); break;
                case MEAN_POOL: mean_pool(l, &s, X, Y); break;
            }
        }
        if (call->outputs) {
            transpose(A[n], out, batch, padded, call->outputs + q * batch * out, out);
            continue;
        }
        call->losses[q] = call->loss == CROSS_ENTROPY
            ? cross_entropy(out, &s, A[n], (const int64_t *)call->y + (call->shared ? 0 : q * batch), d)
            : squared_error(out, &s, A[n], (const real *)call->y + (call->shared ? 0 : q * batch * out), d);
        if (!call->grads) continue;
        real *G = call->grads + q * call->row;
        for (long i = n - 1; i >= 0; i--) {
            const Layer *l = call->layer + i;
            real *X = A[i], *Y = A[i + 1], *dX = i ? e : 0;
            switch (l->kind) {
                case LINEAR: linear_back(l, &s, P, G, X, K[i], d, dX); break;
                case CONV: conv_back(l, &s, P, G, K[i], d, dX); break;
                case ELEMENTWISE: apply_back(l->function, l->in * padded, X, Y, d, l->a, l->b); continue;
                case PRELU: prelu_back(l, &s, P, G, X, d, dX); break;
                case BATCH_NORM: batch_norm_back(l, &s, P, G, X, K[i], d, dX); break;
                case LAYER_NORM: layer_norm_back(l, &s, P, G, X, K[i], d, dX); break;
                case DROPOUT:
                    for (long k = 0; k < l->in * padded; k++) d[k] = K[i][k] == 0 ? 0 : d[k] * K[i][k];
                    continue;
                case MAX_POOL:
                    if (dX) max_pool_back(l, &s, K[i], d, dX);
                    break;
                case MEAN_POOL:
                    if (dX) mean_pool_back(l, &s, d, dX);
                    break;
            }
            if (dX) e = d, d = dX;
        }
    }
}

/* Calls of their own: lanes of different chains, one after another. */
void slalom_run_each(int64_t calls, const Call *call) {
    for (long i = 0; i < calls; i++) slalom_run(call + i);
}
