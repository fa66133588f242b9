/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the benchmarks that measure themselves share: a clock, and the line they print for each
 * figure, "NAME<tab>UNIT<tab>VALUE" and, unless it is Twinloop, "<tab>WHO", which scripts/bench
 * collects.
 */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Time on a processor, so that other programs of the machine disturb as little as possible. */
static inline int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A peer that the same program measures. */
static inline void sample_of(const char *name, const char *unit, const char *who, double value)
{
    printf("%s\t%s\t%.6g\t%s\n", name, unit, value, who);
}

static inline void sample(const char *name, const char *unit, double value)
{
    printf("%s\t%s\t%.6g\n", name, unit, value);
}

static inline void check(const char *what, int r)
{
    if (r >= 0)
        return;
    fprintf(stderr, "%s: error %d\n", what, r);
    exit(1);
}

/* How much to do: the program's argument, or this many. */
static inline uint64_t amount(int argc, char **argv, uint64_t otherwise)
{
    return argc > 1 ? strtoull(argv[1], NULL, 10) : otherwise;
}

#endif
