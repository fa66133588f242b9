/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is measured of a loop by itself, without descriptors. Each contender's program does the
 * same, in its library's own terms, and prints the rows that it has:
 *
 *     LOOP_CALLBACKS_MANY   1,000 callbacks under way, each of which schedules itself again
 *     LOOP_CALLBACKS_ONE    one of them, so that there is a look at the kernel for each
 *     LOOP_TIMERS           a million timers with random deadlines within 800 ms; half of them are
 *                           stopped, the rest fires: all of it, per timer
 *     LOOP_MOVED            a timer of 1,000 pushed on, as an idle timeout is with every message
 *     LOOP_LIFE             a loop made and freed
 *
 * Timers fire after the last deadline has passed, so that no contender sleeps in between and each
 * meets all of them at once. Only time on a processor is counted.
 */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include "sample.h"

#include <string.h>

#define LOOP_CALLBACKS_MANY "callback, 1,000 under way"
#define LOOP_CALLBACKS_ONE "callback, 1 under way"
#define LOOP_TIMERS "1,000,000 timers, half stopped, the rest fired"
#define LOOP_MOVED "running timer moved later"
#define LOOP_LIFE "loop, made and freed"

enum {
    UNDER_WAY = 1000,
    CALLBACKS_MANY = 5000000,
    CALLBACKS_ONE = 200000,
    TIMERS = 1000000,
    MOVED_TIMERS = 1000,
    MOVES = 5000000,
    LIVES = 5000,
};

/* The same deadlines for all: 1 to 800 milliseconds, in microseconds. */
static inline uint32_t loop_deadline_us(void)
{
    static uint64_t state = 42;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return 1000 + (uint32_t)(state >> 33) % 799000;
}

/* For the timers, and in memory already: it is the program's. */
static inline void *loop_memory(size_t size)
{
    return memset(malloc(TIMERS * size), 1, TIMERS * size);
}

static inline void loop_await_deadlines(void)
{
    const struct timespec second = {.tv_sec = 1};
    nanosleep(&second, NULL);
}

static inline void loop_sample(const char *name, int64_t start_ns, double count)
{
    sample(name, "ns", (double)(cpu_ns() - start_ns) / count);
}

#endif
