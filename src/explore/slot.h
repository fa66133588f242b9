/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process of the pool: forked, listened to through two pipes, reaped, and free for the next.
 *
 * The pool owns an array of these for as long as it runs. A slot is busy from tl_slot_start to the
 * tl_slot_reap that returned true; what it heard stays until tl_slot_clear.
 */
#ifndef TL_EXPLORE_SLOT_H
#define TL_EXPLORE_SLOT_H

#include <signal.h>
#include <sys/types.h>
#include "explore/bytes.h"
#include "explore/jobs.h"

struct tl_slot {
    pid_t pid; /* 0: free */
    uint64_t item;
    uint64_t sequence; /* the item's place in the order of delivery */
    int data_fd;       /* reading ends; -1: at its end, or not there */
    int output_fd;
    int64_t deadline; /* real time; INT64_MAX: none */
    bool timed_out;
    int status; /* waitpid's, once it is reaped */
    struct tl_bytes data;
    struct tl_tail output;
};

/* What every process of a pool is given. */
struct tl_slot_world {
    const struct tl_jobs_options *options;
    const struct tl_jobs_ops *ops;
    void *arg;
    int null_fd;             /* /dev/null: their standard input */
    const sigset_t *signals; /* the pool's, which they do not inherit */
};

/* Forks a process for the item. 0 or a negative error, and then the slot is free. */
int tl_slot_start(struct tl_slot *slot, const struct tl_slot_world *world, uint64_t item);

/* Takes what has arrived, without waiting. 0, or -ENOMEM. */
int tl_slot_listen(struct tl_slot *slot);

/* Whether the process has ended; if so everything has been taken and the pipes are closed. 0, 1, or
 * a negative error. */
int tl_slot_reap(struct tl_slot *slot);

/* Ends the process and waits for it: politely first, since it may have processes of its own. */
void tl_slot_kill(struct tl_slot *slot);

/* Forgets what was heard. */
void tl_slot_clear(struct tl_slot *slot);

#endif
