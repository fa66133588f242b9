/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tasks that a bare loop is timed at, one program per contender:
 *
 *     loop_NAME soon IN_FLIGHT COUNT     callbacks, each of which schedules itself again
 *     loop_NAME timers COUNT             started at random deadlines, half cancelled, others fired
 *     loop_NAME later TIMERS MOVES       idle timeouts pushed into the future, each in turn
 *     loop_NAME loops COUNT              loops made and freed
 *
 * A contender fills in what it can do and calls loop_main. Times are processor time, so the wait
 * until every timer is due does not count.
 */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include "sample.h"

#include <stdbool.h>
#include <string.h>

enum {
    IN_FLIGHT_MAX = 1000,
    DEADLINE_MAX_MS = 800, /* of the random deadlines */
    MOVES_PER_TURN = 1000, /* moved in one callback, then the loop goes round */
    IDLE_TIMEOUT_S = 60,   /* and each move is to a microsecond more */
};

/* Each does its task and returns; NULL: it has no such thing. */
struct loop_contender {
    void (*soon)(uint64_t in_flight, uint64_t count);
    void (*timers)(uint64_t count);
    void (*later)(uint64_t timers, uint64_t moves);
    void (*loops)(uint64_t count);
};

/* The same numbers for everybody. */
static uint64_t loop_random_state = 1;

static inline uint32_t loop_random(uint32_t bound)
{
    loop_random_state = loop_random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((loop_random_state >> 32) * bound >> 32);
}

/* The i-th deadline, as microseconds from now. */
static inline uint32_t loop_deadline_us(void)
{
    return 1000 + loop_random(DEADLINE_MAX_MS * 1000);
}

/* The program's own memory, which is there before the task begins. */
static inline void *loop_array(uint64_t count, size_t size)
{
    char *array = calloc(count, size);
    check("calloc", array != NULL ? 0 : -1);
    for (uint64_t i = 0; i < count * size; i += 4096)
        *(volatile char *)(array + i) = 0;
    return array;
}

/* The timers in the order in which they are moved, again and again. */
static inline uint32_t *loop_order(uint64_t count)
{
    uint32_t *order = loop_array(count, sizeof *order);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t j = loop_random(i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    return order;
}

/* Waits until every deadline has passed. */
static inline void loop_let_pass(void)
{
    struct timespec t = {.tv_nsec = (DEADLINE_MAX_MS + 100) * 1000000L};
    nanosleep(&t, NULL);
}

/* The parts of the timers' task: contenders say when each is over. */
struct loop_parts {
    uint64_t count;
    int64_t start, started, cancelled;
};

static inline void loop_timers_done(const struct loop_parts *parts)
{
    int64_t end = cpu_ns();
    double count = (double)parts->count;
    sample("1,000,000 timers: start, cancel half, fire the rest", "ns/timer",
           (double)(end - parts->start) / count);
    sample("- of which starting", "ns/timer", (double)(parts->started - parts->start) / count);
    sample("- of which cancelling", "ns/timer",
           (double)(parts->cancelled - parts->started) / count);
    sample("- of which firing", "ns/timer", (double)(end - parts->cancelled) / count);
}

static inline uint64_t loop_number(char **argv, int argc, int i)
{
    return i < argc ? strtoull(argv[i], NULL, 10) : 1;
}

static inline void loop_soon(const struct loop_contender *contender, uint64_t in_flight,
                             uint64_t count)
{
    int64_t start = cpu_ns();
    contender->soon(in_flight, count);
    sample(in_flight == 1 ? "call_soon to its callback, 1 in flight"
                          : "call_soon to its callback, 1,000 in flight",
           "ns", (double)(cpu_ns() - start) / (double)count);
}

/* The task is done twice over, with and without moves, so that setting up does not count. */
static inline void loop_later(const struct loop_contender *contender, uint64_t timers,
                              uint64_t moves)
{
    int64_t start = cpu_ns();
    contender->later(timers, moves);
    int64_t middle = cpu_ns();
    contender->later(timers, 2 * moves);
    sample(timers < 10000 ? "timer moved later, 1,000 timers" : "timer moved later, 100,000 timers",
           "ns", (double)(cpu_ns() - middle - (middle - start)) / (double)moves);
}

static inline void loop_loops(const struct loop_contender *contender, uint64_t count)
{
    contender->loops(count / 10 + 1);
    int64_t start = cpu_ns();
    contender->loops(count);
    sample("loop made and freed", "ns", (double)(cpu_ns() - start) / (double)count);
}

static inline int loop_main(int argc, char **argv, const struct loop_contender *contender)
{
    const char *task = argc > 1 ? argv[1] : "";
    uint64_t first = loop_number(argv, argc, 2);
    uint64_t second = loop_number(argv, argc, 3);
    if (strcmp(task, "soon") == 0 && contender->soon != NULL)
        loop_soon(contender, first <= IN_FLIGHT_MAX ? first : IN_FLIGHT_MAX, second);
    else if (strcmp(task, "timers") == 0 && contender->timers != NULL)
        contender->timers(first);
    else if (strcmp(task, "later") == 0 && contender->later != NULL)
        loop_later(contender, first, second);
    else if (strcmp(task, "loops") == 0 && contender->loops != NULL)
        loop_loops(contender, first);
    return 0;
}

#endif
