/* CUDA C as C++ for the processor: one thread of one block after another, or, where they wait for one another, in turns. */
#define SLALOM_EMULATED
extern "C" {
double pow(double, double), sqrt(double), fabs(double), exp(double);
float powf(float, float), sqrtf(float), fabsf(float), expf(float);
void *memcpy(void *, const void *, unsigned long);
struct Emulated { unsigned thread, block, threads, blocks; };
extern Emulated emulated; /* the runtime's */
void emulated_wait(void);
}
struct EmulatedThread { static const int dummy = 0; };
#define __device__
#define __global__
#define __shared__ static
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(threads)
#define __syncthreads emulated_wait
static struct { struct { operator unsigned() const { return emulated.thread; } } x; } threadIdx;
static struct { struct { operator unsigned() const { return emulated.block; } } x; } blockIdx;
static struct { struct { operator unsigned() const { return emulated.blocks; } } x; } gridDim;
static inline float __uint_as_float(unsigned x) { float y; memcpy(&y, &x, 4); return y; }
static inline unsigned __float_as_uint(float x) { unsigned y; memcpy(&y, &x, 4); return y; }
static inline float half_to_float(unsigned short x) { _Float16 y; memcpy(&y, &x, 2); return (float)y; }
static inline unsigned short float_to_half(float x) {
    const _Float16 y = (_Float16)x;
    unsigned short z;
    memcpy(&z, &y, 2);
    return z;
}
/* How the fake driver calls a kernel: its arguments from an array of pointers, and how large each is. */
template <int... K> struct Places {};
template <int N, int... K> struct Count : Count<N - 1, N - 1, K...> {};
template <int... K> struct Count<0, K...> { typedef Places<K...> type; };
template <class X> struct Plain { typedef X type; };
template <class X> struct Plain<const X> { typedef X type; };
template <class... A, int... K> static inline void emulated_call(void (*f)(A...), void **p, Places<K...>) {
    f(*(typename Plain<A>::type *)p[K]...);
}
template <class... A> static inline void emulated_call(void (*f)(A...), void **p) {
    emulated_call(f, p, typename Count<sizeof...(A)>::type());
}
template <class... A> static inline int emulated_sizes(void (*)(A...), unsigned long *to) {
    const unsigned long sizes[] = {sizeof(A)...};
    for (unsigned k = 0; k < sizeof...(A); k++) to[k] = sizes[k];
    return (int)sizeof...(A);
}
#define EMULATE(name) \
    extern "C" void name##_call(void **p) { emulated_call(name, p); } \
    extern "C" int name##_sizes(unsigned long *to) { return emulated_sizes(name, to); }
