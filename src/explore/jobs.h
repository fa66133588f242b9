/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many items, each in a forked process of its own, several at a time, delivered in order.
 *
 * The caller numbers the items, says what a process does with one, and gets each item's end in the
 * order in which the items were numbered, whatever the number of processes and however long each
 * took: so what a command prints does not depend on --jobs. A process that crashes is one item's
 * end; one that takes too long is killed. SIGINT and SIGTERM end the whole thing cleanly.
 *
 * The pool lives for the call of tl_jobs_run. Inside, the three signals it waits for are blocked;
 * afterwards everything is as before. It may be called again from its own done.
 */
#ifndef TL_EXPLORE_JOBS_H
#define TL_EXPLORE_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the process of an item ended. */
struct tl_job_result {
    uint64_t item;
    bool timed_out;      /* killed after item_time_max */
    int status;          /* waitpid's */
    const uint8_t *data; /* what it told, through the fd that work was given */
    size_t data_len;
    const char *output; /* the end of what it printed, NUL-terminated; "" when not captured */
    size_t output_len;
};

struct tl_jobs_ops {
    /* The next item, or false when there is none. */
    bool (*next)(void *arg, uint64_t *ret_item);

    /* In the item's process: does it, tells fd about it, returns the exit code. */
    int (*work)(void *arg, uint64_t item, int fd);

    /* In the caller's process, in the order of next. false: no more. */
    bool (*done)(void *arg, const struct tl_job_result *result);

    /* Now and then, at least every tenth of a second while something runs; may be NULL. */
    void (*tick)(void *arg);
};

struct tl_jobs_options {
    unsigned jobs;         /* processes at a time, at least 1 */
    int64_t item_time_max; /* real nanoseconds; 0: no limit */
    bool capture;          /* catch what they print; otherwise it goes where the caller's goes */
    bool ordinary_exit;    /* end them with exit, which looks for leaks, instead of _exit */
};

/* Runs until every item is done. 0; -ECANCELED when done wanted no more; -EINTR when a signal ended
 * it; -ENOMEM or what a system call said. In every case no process of it is left. */
int tl_jobs_run(const struct tl_jobs_options *options, const struct tl_jobs_ops *ops, void *arg);

#endif
