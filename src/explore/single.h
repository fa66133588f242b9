/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run that is watched: what run, replay and sites do, and what explore does to a failure.
 */
#ifndef TL_EXPLORE_SINGLE_H
#define TL_EXPLORE_SINGLE_H

#include "explore/run_once.h"
#include "explore/runner.h"
#include "explore/verdict.h"

struct tl_single {
    struct tl_run_plan plan; /* fd is set here */
    int64_t time_max;        /* real; 0: none */
    bool capture;            /* what the run prints is dropped */
    bool here;               /* in this process: a crash is this process's own */
};

/* Runs it in a process of its own, or here. 0 with *verdict (an empty or a used one) filled, or a
 * negative error. */
int tl_single_run(const struct tl_single *single, struct tl_verdict *verdict);

/* Prints how the run of a seed went, for people: two lines, and a report before them when it did
 * not hold. */
void tl_single_print(const struct tl_single *single, const struct tl_verdict *verdict);

/* A plan's `built`: prints the configuration line. */
void tl_print_configuration(const struct tl_run_plan *plan,
                            const struct tl_configuration *configuration);

/* Prints lines, each after a prefix. */
void tl_print_lines(const char *prefix, const char *text);

/* Virtual or real time as "1.234567890 s". */
const char *tl_format_time(int64_t time, char *text, size_t size);

/* Whether a debugger or tracer watches this process. */
bool tl_is_traced(void);

#endif
