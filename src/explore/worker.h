/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers: this program, executed once more, to run a range of seeds in a memory layout of its own.
 *
 * A worker runs each of its seeds in a forked process: forks share the worker's addresses, but two
 * workers share none. It tells a seed and a result for each (tell.h), in order.
 */
#ifndef TL_EXPLORE_WORKER_H
#define TL_EXPLORE_WORKER_H

#include "explore/runner.h"

struct tl_worker_task {
    struct tl_seeds seeds;
    uint64_t layout;
    int fd;    /* where to tell the results */
    int words; /* where to write the hashed stream; -1: nowhere */
};

/* Becomes a worker: replaces this process's program. Returns only a negative error. */
int tl_worker_exec(const struct tl_runner *runner, const struct tl_worker_task *task);

#endif
