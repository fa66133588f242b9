/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a callback costs that other threads hand to a loop: four threads post, the loop counts. One
 * program per contender:
 *
 *     loop_posts_NAME [COUNT]
 *
 * A producer that is a thousand callbacks ahead of the loop gives way, so that memory for those on
 * their way is used again instead of growing. The figures are per post: how long it took, and the
 * time of all threads on processors. Exits 1 when a callback is lost or runs twice.
 */
#ifndef BENCH_POSTS_H
#define BENCH_POSTS_H

#include "sample.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { PRODUCERS = 4, AHEAD_MAX = 1000 };

/* The contender's loop, on the main thread. */
struct posts_contender {
    void (*open)(void);
    void (*post)(void (*callback)(void *arg), void *arg); /* on any thread */
    void (*run)(void);                                    /* until stop */
    void (*stop)(void);                                   /* in a callback */
    void (*close)(void);
};

struct producer {
    struct posts *posts;
    _Atomic uint64_t run; /* of its callbacks */
    char alone[48];       /* on a cache line */
};

struct posts {
    const struct posts_contender *contender;
    uint64_t each;  /* posts of one producer */
    uint64_t total; /* of all */
    uint64_t run;   /* callbacks that have run */
    struct producer producers[PRODUCERS];
};

static void posts_count_one(void *arg)
{
    struct producer *producer = arg;
    struct posts *posts = producer->posts;
    atomic_store_explicit(&producer->run,
                          atomic_load_explicit(&producer->run, memory_order_relaxed) + 1,
                          memory_order_release);
    if (++posts->run == posts->total)
        posts->contender->stop();
}

static void *posts_produce(void *arg)
{
    struct producer *producer = arg;
    const struct posts *posts = producer->posts;
    uint64_t room = 0; /* may be posted before the loop has to catch up */
    for (uint64_t i = 0; i < posts->each; i++) {
        while (i >= room)
            if ((room = atomic_load_explicit(&producer->run, memory_order_acquire) + AHEAD_MAX) <=
                i)
                sched_yield();
        posts->contender->post(posts_count_one, producer);
    }
    return NULL;
}

static inline int64_t posts_wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int posts_main(int argc, char **argv, const struct posts_contender *contender)
{
    struct posts posts = {.contender = contender, .each = amount(argc, argv, 10000000) / PRODUCERS};
    pthread_t threads[PRODUCERS];
    posts.total = posts.each * PRODUCERS;
    contender->open();

    int64_t wall = posts_wall_ns();
    int64_t cpu = cpu_ns();
    for (int i = 0; i < PRODUCERS; i++) {
        posts.producers[i].posts = &posts;
        check("pthread_create",
              -pthread_create(&threads[i], NULL, posts_produce, &posts.producers[i]));
    }
    contender->run();
    cpu = cpu_ns() - cpu;
    wall = posts_wall_ns() - wall;
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    contender->close();
    if (posts.run != posts.total)
        return 1;
    sample("call_soon_threadsafe, 4 threads, wall", "ns/post", (double)wall / (double)posts.total);
    sample("call_soon_threadsafe, 4 threads, CPU", "ns/post", (double)cpu / (double)posts.total);
    return 0;
}

#endif
