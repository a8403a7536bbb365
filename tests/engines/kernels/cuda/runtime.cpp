// The CUDA driver's calls on the processor: kernels run at the launch, or, while capturing, at every replay.
#include <dlfcn.h>
#include <ucontext.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

struct Emulated { unsigned thread, block, threads, blocks; };
struct Function { void (*call)(void **); int (*sizes)(unsigned long *); bool waits; };  // waits: its threads for one another
struct Node { Function *f; unsigned blocks, threads; std::vector<std::vector<char>> arguments; };

extern "C" {
Emulated emulated;
static ucontext_t home;
static std::vector<ucontext_t> fibers;
static std::vector<std::vector<char>> stacks;
static std::vector<char> done;
static Function *running;
static void **given;
static bool capturing = false;
static std::vector<std::vector<Node>> graphs;
int emulated_launches = 0, emulated_context = 1;

void emulated_wait(void) {
    if (!running->waits) abort();
    const unsigned me = emulated.thread;
    swapcontext(&fibers[me], &home);
    emulated.thread = me;
}
static void fiber(void) {
    const unsigned me = emulated.thread;
    running->call(given);
    done[me] = 1;
}
static void run(Function *f, unsigned blocks, unsigned threads, void **params) {
    running = f;
    given = params;
    emulated.blocks = blocks;
    emulated.threads = threads;
    fibers.resize(threads);
    stacks.resize(threads);
    for (unsigned b = 0; b < blocks; b++) {
        emulated.block = b;
        if (!f->waits) {
            for (emulated.thread = 0; emulated.thread < threads; emulated.thread++) f->call(params);
            continue;
        }
        done.assign(threads, 0);
        for (unsigned t = 0; t < threads; t++) {
            if (stacks[t].empty()) stacks[t].resize(64 * 1024);
            getcontext(&fibers[t]);
            fibers[t].uc_stack.ss_sp = stacks[t].data();
            fibers[t].uc_stack.ss_size = stacks[t].size();
            fibers[t].uc_link = &home;
            makecontext(&fibers[t], fiber, 0);
        }
        for (unsigned waiting = threads; waiting;) {
            waiting = 0;
            for (unsigned t = 0; t < threads; t++) {
                emulated.thread = t;
                swapcontext(&home, &fibers[t]);
                waiting += !done[t];
            }
            if (waiting && waiting != threads) abort();  // on a GPU the others would wait for ever
        }
    }
}
int cuModuleLoadData(void **module, const void *image) {  // the image is the path of a library
    *module = dlopen((const char *)image, RTLD_NOW | RTLD_LOCAL);
    if (!*module) fprintf(stderr, "%s\n", dlerror());
    return *module ? 0 : 200;
}
int cuModuleGetFunction(void **function, void *module, const char *name) {
    char longer[100];
    Function *f = new Function;
    snprintf(longer, sizeof longer, "%s_call", name);
    f->call = (void (*)(void **))dlsym(module, longer);
    snprintf(longer, sizeof longer, "%s_sizes", name);
    f->sizes = (int (*)(unsigned long *))dlsym(module, longer);
    f->waits = !strcmp(name, "slalom_squares") || !strcmp(name, "slalom_prepare") || !strncmp(name, "slalom_lane_", 12);
    *function = f;
    return f->call && f->sizes ? 0 : 500;
}
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                   void *stream, void **params, void **extra) {
    Function *f = (Function *)function;
    if (!emulated_context) return 201;
    if (!gx || gy != 1 || gz != 1 || bx > 1024 || by != 1 || bz != 1 || shared || extra) return 1;
    emulated_launches++;
    if (!capturing) { run(f, gx, bx, params); return 0; }
    unsigned long sizes[32], total = 0;
    const int n = f->sizes(sizes);
    Node node{f, gx, bx, {}};
    for (int k = 0; k < n; k++) {
        node.arguments.emplace_back((char *)params[k], (char *)params[k] + sizes[k]);
        total += sizes[k] + 8;
    }
    if (total > 4096) return 1;  // what every driver takes
    graphs.back().push_back(node);
    return 0;
}
int cuGetErrorString(int code, const char **said) {
    *said = code == 1 ? "invalid argument" : code == 201 ? "invalid device context" : "no such thing";
    return 0;
}
int emulated_begin(void) { graphs.emplace_back(); capturing = true; return (int)graphs.size() - 1; }
void emulated_end(void) { capturing = false; }
void emulated_replay(int graph) {
    for (Node &node : graphs[graph]) {
        std::vector<void *> params;
        for (auto &a : node.arguments) params.push_back(a.data());
        run(node.f, node.blocks, node.threads, params.data());
    }
}
}
