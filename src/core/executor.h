/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executors inside the core: the object (executor.c), and the jobs it has (job.c).
 */
#ifndef TL_CORE_EXECUTOR_H
#define TL_CORE_EXECUTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <twinloop/executor.h>
#include "core/loop.h"
#include "core/waiters.h"

struct tl_executor {
    tl_object object;          /* each job holds a reference */
    struct tl_workers workers; /* the kernel's of loop */
    struct tl_live live;       /* among loop's, without a reference */
    tl_loop *loop;             /* who uses it; NULL: nobody */
    size_t jobs;               /* that are not over */
    bool shut;
    struct tl_waiters waiters; /* shutdown's */
};

/* The executor that a job is for, for this loop from now on: executor, or for NULL the default one.
 * 0; or an error, with the sentence for it in *ret_why if there is a better one than its own. */
int tl_executor_use(tl_loop *loop, tl_executor *executor, tl_executor **ret, const char **ret_why);

/* One job of it is over. */
void tl_executor_job_over(tl_executor *executor);

/* The loop was closed, its kernel destroyed: nothing runs any more. Gives up its jobs and its
 * default executor, which takes no jobs from now on. */
void tl_executor_close_loop(tl_loop *loop);

/* --- Jobs (job.c) --- */

/* Queues the end of a job, whose event has come. */
void tl_jobs_deliver(tl_loop *loop, struct tl_work *work);

/* Gives up the jobs of a closed loop: their futures stay pending. */
void tl_jobs_drop(tl_loop *loop);

#endif
