/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard's inside, for its files: who is asking, and where the C library's own function is.
 */
#ifndef TL_SIM_GUARD_H
#define TL_SIM_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/process.h"

#define TL_INTERNAL __attribute__((visibility("hidden")))

/* Who asks from inside a world. */
struct tl_guarded {
    tl_world *world;
    tl_process *process; /* NULL: a callback of the world itself */
    struct tl_guard *guard;
};

/* Whether the caller is inside a world, and where. Safe in every context: it takes no lock, asks
 * for no memory and touches no state but this thread's. */
TL_INTERNAL bool tl_guard_inside(struct tl_guarded *ret);

/* What is refused, by the bit that remembers that it was told. */
enum tl_refused {
    TL_REFUSED_THREAD,
    TL_REFUSED_THRD,
    TL_REFUSED_SOCKET,
    TL_REFUSED_SOCKETPAIR,
    TL_REFUSED_BIND,
    TL_REFUSED_LISTEN,
    TL_REFUSED_CONNECT,
    TL_REFUSED_ACCEPT,
    TL_REFUSED_ACCEPT4,
    TL_REFUSED_POLL,
    TL_REFUSED_PPOLL,
    TL_REFUSED_SELECT,
    TL_REFUSED_PSELECT,
    TL_REFUSED_EPOLL_WAIT,
    TL_REFUSED_EPOLL_PWAIT,
    TL_REFUSED_EPOLL_PWAIT2,
    TL_REFUSED_SLEEP,
    TL_REFUSED_USLEEP,
    TL_REFUSED_NANOSLEEP,
    TL_REFUSED_CLOCK_NANOSLEEP,
    TL_REFUSED_THRD_SLEEP,
    TL_REFUSED_READ,
};

/* Reports that a function was refused, once per process; sets errno to EPERM and returns -1. */
TL_INTERNAL int tl_guard_refuse(const struct tl_guarded *who, enum tl_refused what,
                                const char *name);

/* Fills buf with the world's chance, as getrandom would. */
TL_INTERNAL void tl_guard_random(const struct tl_guarded *who, void *buf, size_t len);

/* Lifts the guard for this thread while a signal handler runs, and puts it back. */
TL_INTERNAL bool tl_guard_lift(void);
TL_INTERNAL void tl_guard_put_back(bool before);

/* Has libFuzzer's alarm run outside of every world. */
TL_INTERNAL void tl_guard_spare_alarm(void);

/* References that bring each file's functions along out of an archive. */
TL_INTERNAL extern const char tl_guard_time_is_here, tl_guard_chance_is_here,
    tl_guard_refusals_are_here;

/* The C library's function, or a sanitizer's around it, which must go on seeing what it saw; NULL
 * where there is none (a program linked statically). */
TL_INTERNAL void *tl_guard_find(const char *name, void *interceptor);

/* Defines real_NAME(), which returns it and looks for it only once. Sanitizers whose runtime is
 * linked statically offer theirs as __interceptor_NAME; others come next in the order of libraries.
 */
#define TL_GUARD_REAL(name)                                                                        \
    extern __typeof__(name) __interceptor_##name __attribute__((weak));                            \
    static __typeof__(&name) real_##name(void)                                                     \
    {                                                                                              \
        static _Atomic(void *) found;                                                              \
        void *at = atomic_load_explicit(&found, memory_order_relaxed);                             \
        if (__builtin_expect(at == NULL, 0)) {                                                     \
            at = tl_guard_find(#name, (void *)__interceptor_##name);                               \
            atomic_store_explicit(&found, at, memory_order_relaxed);                               \
        }                                                                                          \
        return (__typeof__(&name))at;                                                              \
    }

#endif
