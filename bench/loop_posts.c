/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a callback costs that other threads hand to a loop: four threads post, the loop counts.
 *
 *     loop_posts [COUNT]
 *
 * A producer that is a thousand callbacks ahead of the loop gives way, so that memory for those on
 * their way is used again instead of growing. The figures are per post: how long it took, and the
 * time of all threads on processors. Exits 1 when a callback is lost or runs twice. How many writes
 * it takes is counted from outside.
 */
#include "sample.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <twinloop.h>

enum { PRODUCERS = 4, AHEAD_MAX = 1000 };

struct producer {
    struct count *count;
    _Atomic uint64_t run; /* of its callbacks */
    char alone[48];       /* on a cache line */
};

struct count {
    tl_loop *loop;
    uint64_t each;  /* posts of one producer */
    uint64_t total; /* of all */
    uint64_t run;   /* callbacks that have run */
    struct producer producers[PRODUCERS];
};

static void count_one(void *arg)
{
    struct producer *producer = arg;
    struct count *count = producer->count;
    atomic_store_explicit(&producer->run,
                          atomic_load_explicit(&producer->run, memory_order_relaxed) + 1,
                          memory_order_release);
    if (++count->run == count->total)
        tl_loop_stop(count->loop);
}

static void *produce(void *arg)
{
    struct producer *producer = arg;
    tl_loop *loop = producer->count->loop;
    uint64_t room = 0; /* may be posted before the loop has to catch up */
    for (uint64_t i = 0; i < producer->count->each; i++) {
        while (i >= room)
            if ((room = atomic_load_explicit(&producer->run, memory_order_acquire) + AHEAD_MAX) <=
                i)
                sched_yield();
        check("tl_loop_call_soon_threadsafe",
              tl_loop_call_soon_threadsafe(loop, count_one, producer, NULL));
    }
    return NULL;
}

static int64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(int argc, char **argv)
{
    struct count count = {.each = amount(argc, argv, 10000000) / PRODUCERS};
    pthread_t threads[PRODUCERS];
    count.total = count.each * PRODUCERS;
    check("tl_new_event_loop", tl_new_event_loop(&count.loop));

    int64_t wall = wall_ns();
    int64_t cpu = cpu_ns();
    for (int i = 0; i < PRODUCERS; i++) {
        count.producers[i].count = &count;
        check("pthread_create", -pthread_create(&threads[i], NULL, produce, &count.producers[i]));
    }
    check("tl_loop_run_forever", tl_loop_run_forever(count.loop));
    cpu = cpu_ns() - cpu;
    wall = wall_ns() - wall;
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    tl_loop_free(count.loop);
    if (count.run != count.total)
        return 1;
    sample("call_soon_threadsafe, 4 threads, wall", "ns/post", (double)wall / (double)count.total);
    sample("call_soon_threadsafe, 4 threads, CPU", "ns/post", (double)cpu / (double)count.total);
    return 0;
}
