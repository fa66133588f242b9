/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks inside the core: their struct, and the stacks of a loop's tasks.
 */
#ifndef TL_CORE_TASK_H
#define TL_CORE_TASK_H

#include <twinloop/task.h>
#include "core/fiber.h"
#include "core/future.h"
#include "core/loop.h"

struct tl_context;

/* Room for "Task-" and any number. */
enum { TL_TASK_NUMBER_NAME = 28 };

struct tl_task {
    tl_future future;
    struct tl_live live;   /* from its making until it is done */
    struct tl_ready ready; /* the first step, or a release */
    struct tl_done_callback waiter;
    struct tl_fiber *fiber; /* NULL: it has not begun, or is over */
    tl_future *awaiting;    /* while it waits; the reference is tl_await's, or its heir's */
    tl_future *failed;      /* a reference: what tl_await_error tells of */
    tl_coro coro;
    tl_value value; /* what the coroutine has returned, until it is the future's */
    int code;
    unsigned cancelling;
    bool must_cancel; /* asked to end, and not told yet */
    bool reported;    /* that it was destroyed */
    char *name;       /* NULL: its number's */
    uint64_t number;
    char number_name[TL_TASK_NUMBER_NAME];
};

static inline tl_task *tl_task_of(tl_future *future)
{
    return tl_container_of(future, tl_task, future);
}

/* The task in the loop's list of what can act; NULL when that is something else. */
tl_task *tl_task_of_live(struct tl_live *live);

/* Runs a task until it waits or is over. */
void tl_task_resume(tl_task *task);

/* Leaves off waiting, without waking the task. */
void tl_task_stop_waiting(tl_task *task);

/* The stacks of a loop's tasks; NULL when memory is out. Freed with the loop. */
struct tl_fiber_pool *tl_task_pool(tl_loop *loop);
void tl_task_pool_free(tl_loop *loop);

/* Frees the stacks of every loop of a process that is no more. */
void tl_task_pools_drop(struct tl_context *context);

#endif
