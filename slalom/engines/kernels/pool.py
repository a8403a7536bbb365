"""Threads that work through pieces of a step together, where the caller waits for no thread that has not come.

An OpenMP region ends when every thread of the team has arrived at its end, whether there was work left for it or not. Where more
threads are busy than there are processors, one of them is mostly off its processor, so that a step of 0.4 ms took 20. Here
every piece is claimed by whoever is there; once all are claimed no further thread may join, and the caller waits for those alone
that are in the midst of a piece. A thread first takes pieces of its own share, the same at every step, so that these stay in
its processor's cache; then what is left of others'.
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache

from slalom.core.errors import StoreError
from slalom.engines.kernels import cache
from slalom.engines.kernels.compiler import NoCompilerError

# Threads that the user has bound to processors stay OpenMP's: new ones would be bound to where their maker is.
BINDING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")

# Elements of a step up to which they are used. A longer step is as fast as memory is, and took 3 to 30 % longer by these threads
# than by OpenMP's (16.8 M, two cores with nothing else to do); a thread that is late there is late by little of it.
MOST = 2**21

# What a kernel needs to say of it: PIECES(run, tasks, threads, work, given) calls work(given, task) for every task, in any order.
RUNNER = r"""
typedef void WORK(void *given, int64_t task);
typedef void RUNNER(int64_t tasks, int threads, WORK *work, void *given);
static inline void PIECES(RUNNER *run, int64_t tasks, int threads, WORK *work, void *given) {
    if (run && threads > 1 && tasks > 1) {
        run(tasks, threads, work, given);
        return;
    }
    (void)threads;
    #pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (int64_t task = 0; task < tasks; task++) work(given, task);
}
"""

_SOURCE = r"""/* threads that are not waited for */
#define _GNU_SOURCE
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
typedef void WORK(void *given, int64_t task);
#define MOST 256          /* threads */
#define SPIN 200000       /* nanoseconds of looking before a thread sleeps: about the time between two steps of small tensors */
#define SEAT (1u << 16)   /* `state` counts the threads at work, and above that the seats that are free */
#if defined(__x86_64__) || defined(__i386__)
#define PAUSE() __builtin_ia32_pause()
#else
#define PAUSE() atomic_signal_fence(memory_order_seq_cst)
#endif

static struct { _Atomic int64_t next; int64_t end; char apart[48]; } share[MOST];
static _Atomic uint32_t state, sleeping, waiting;
static WORK *job;
static void *job_given;
static int shares, made;
static fenv_t floats; /* the caller's: whether denormals are flushed */
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER, gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;

static int64_t nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Looks for a while whether there are seats (or, for the caller, whether nobody is at work). */
static int seen(int seats) {
    for (const int64_t begin = nanoseconds(); nanoseconds() - begin < SPIN;)
        for (int k = 0; k < 16; k++) {
            const uint32_t now = atomic_load(&state);
            if (seats ? now >= SEAT : !now) return 1;
            PAUSE();
        }
    return 0;
}

static void take(int mine) {
    for (int k = 0; k < shares; k++) {
        const int s = (mine + k) % shares;
        while (atomic_load_explicit(&share[s].next, memory_order_relaxed) < share[s].end) {
            const int64_t task = atomic_fetch_add_explicit(&share[s].next, 1, memory_order_relaxed);
            if (task < share[s].end) job(job_given, task);
        }
    }
}

static void *worker(void *nothing) {
    (void)nothing;
    for (;;) {
        if (!seen(1)) {
            pthread_mutex_lock(&gate);
            atomic_fetch_add(&sleeping, 1);
            while (atomic_load(&state) < SEAT) pthread_cond_wait(&wake, &gate);
            atomic_fetch_sub(&sleeping, 1);
            pthread_mutex_unlock(&gate);
        }
        uint32_t now = atomic_load(&state);
        while (now >= SEAT && !atomic_compare_exchange_weak(&state, &now, now - SEAT + 1)) {}
        if (now < SEAT) continue;
        fesetenv(&floats);
        take((int)(now / SEAT)); /* seats are numbered from 1; the caller's share is 0 */
        if (atomic_fetch_sub(&state, 1) == 1 && atomic_load(&waiting)) {
            pthread_mutex_lock(&gate);
            pthread_cond_signal(&done);
            pthread_mutex_unlock(&gate);
        }
    }
    return 0;
}

/* A child process has none of the threads, and locks as they happened to be. */
static void forked(void) {
    made = 0;
    atomic_store(&state, 0);
    atomic_store(&sleeping, 0);
    atomic_store(&waiting, 0);
    pthread_mutex_init(&one, 0);
    pthread_mutex_init(&gate, 0);
    pthread_cond_init(&wake, 0);
    pthread_cond_init(&done, 0);
}

static void make(int wanted) {
    static int told;
    sigset_t all, before;
    pthread_attr_t how;
    if (!told) told = !pthread_atfork(0, 0, forked);
    sigfillset(&all); /* signals are the caller's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&how);
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&how, 1 << 20);
    for (pthread_t it; made < wanted; made++)
        if (pthread_create(&it, &how, worker, 0)) break; /* too many: the caller does their share */
    pthread_attr_destroy(&how);
    pthread_sigmask(SIG_SETMASK, &before, 0);
}

/* Calls work(given, task) for every task; returns when all are done. A second caller at the same time works alone. */
void slalom_run(int64_t tasks, int threads, WORK *work, void *given) {
    if (pthread_mutex_trylock(&one)) {
        for (int64_t task = 0; task < tasks; task++) work(given, task);
        return;
    }
    shares = threads < MOST ? threads : MOST;
    if (made < shares - 1) make(shares - 1);
    job = work;
    job_given = given;
    fegetenv(&floats);
    for (int s = 0; s < shares; s++) {
        atomic_store_explicit(&share[s].next, tasks * s / shares, memory_order_relaxed);
        share[s].end = tasks * (s + 1) / shares;
    }
    atomic_store(&state, (uint32_t)(shares - 1) * SEAT);
    if (atomic_load(&sleeping)) {
        pthread_mutex_lock(&gate);
        pthread_cond_broadcast(&wake);
        pthread_mutex_unlock(&gate);
    }
    take(0);
    atomic_fetch_and(&state, SEAT - 1); /* nobody joins any more */
    if (!seen(0)) {
        pthread_mutex_lock(&gate);
        atomic_store(&waiting, 1);
        while (atomic_load(&state)) pthread_cond_wait(&done, &gate);
        atomic_store(&waiting, 0);
        pthread_mutex_unlock(&gate);
    }
    pthread_mutex_unlock(&one);
}
"""


@lru_cache(maxsize=1)
def _address() -> int | None:
    if any(os.environ.get(name) for name in BINDING):
        return None
    try:
        library = cache.library(_SOURCE, ("slalom_run",), ("-pthread",))
    except (NoCompilerError, StoreError):
        return None
    return ctypes.cast(library.slalom_run, ctypes.c_void_p).value


def runner(threads: int, elements: int) -> int | None:
    """The address of the RUNNER for a step of so many threads over so many elements; None for OpenMP's threads, or one alone."""
    return _address() if threads > 1 and elements <= MOST else None
