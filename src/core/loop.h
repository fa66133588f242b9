/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop's insides, for the files of the core: what a loop holds, and how objects that can act
 * belong to it.
 */
#ifndef TL_CORE_LOOP_H
#define TL_CORE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <twinloop/kernel.h>
#include <twinloop/loop.h>
#include <twinloop/task.h>
#include "core/handle.h"
#include "core/live.h"
#include "core/object.h"
#include "core/piece.h"
#include "core/posted.h"
#include "core/ready.h"
#include "core/timer.h"

/* The stacks of a loop's tasks, once it has any: in its context's list. See task_pool.c. */
struct tl_task_stacks {
    struct tl_task_stacks *next;
    struct tl_task_stacks **link; /* what refers to this one */
    struct tl_fiber_pool *pool;
};

/* What a loop has in common with other threads, which hand something over: see post.c and posted.c.
 * They write here all the time, so nothing else is near enough to share a line of memory. */
struct tl_loop_shared {
    char apart[64];
    struct tl_post *spare_posts; /* atomic: memory of posts that are over, for posters to take */
    struct tl_thread *owner; /* atomic: who made the loop or ran it last, and may touch its queue */
    uint32_t posting; /* atomic: threads that are handing something over, and TL_POSTS_CLOSED */
    char apart_too[64];
};

struct tl_loop {
    /* What seldom changes; posters read some of it. */
    tl_object object;         /* held by the program and by every object of the loop */
    struct tl_kernel *kernel; /* NULL once closed */
    bool debug;               /* atomic: see tl_loop_debug */
    bool default_executor_shut;
    bool asyncgens_shut;                    /* shutdown_asyncgens was called */
    struct tl_fd_table *fds;                /* the program's descriptors; NULL: none yet */
    struct tl_signals *signals;             /* handlers by number; NULL: none yet */
    tl_exception_handler exception_handler; /* NULL: the default */
    void *exception_arg;
    tl_message_handler message_handler; /* NULL: none */
    void *message_arg;
    tl_task_factory task_factory; /* NULL: the default */
    void *task_factory_arg;
    struct tl_executor *default_executor; /* a reference; NULL: none yet */
    tl_future *reserve;                   /* failed with -ENOMEM, for when no future can be made */
    tl_time slow_callback_duration;
    size_t task_stack_size; /* 0: the default */

    struct tl_ready_queue ready;
    struct tl_ready batch_end; /* queued while a batch runs: where it ends; never runs */
    struct tl_timers timers;
    struct tl_handle_pool handles;
    struct tl_posted_pool posted;
    tl_time iteration_time; /* read after poll, unless time_unread */
    bool time_unread;       /* nobody has needed it in this iteration */
    bool running;
    bool stopping;
    bool closing;       /* telling what was left open: see tl_loop_close */
    bool handling;      /* the program's exception handler is running */
    uint8_t defaulting; /* how many calls of the default one are running */

    struct tl_piece incoming; /* the running thread's read buffer; NULL until it is needed */
    struct tl_piece outgoing; /* what is being written */
    struct tl_piece offered;  /* where a buffered protocol wants to be read to */
    struct tl_inbox *inbox;   /* what datagrams are read into; NULL until it is needed */

    struct tl_live live;          /* head of the list of what can act */
    struct tl_executor_job *jobs; /* that are not over, the oldest first */
    struct tl_executor_job **jobs_end;
    uint32_t jobs_made;
    struct tl_lookup *lookups; /* that are not over */
    uint64_t tasks_numbered;   /* how many got a default name */
    struct tl_task_stacks task_stacks;

    struct tl_thread *runner;       /* whose run is in progress; read by other threads */
    struct tl_executing *executing; /* in debug mode: what runs now; or NULL */

    struct tl_loop_shared shared;
};

void tl_live_add(struct tl_live *live, tl_loop *loop, void (*abandon)(struct tl_live *live));
void tl_live_remove(struct tl_live *live); /* a no-op when it is in no list */

/* As tl_loop_new, but takes the kernel when it fails too, and destroys it then. */
int tl_loop_take(struct tl_kernel *kernel, tl_loop **ret);

/* An object of the loop holds it by these. */
tl_loop *tl_loop_ref(tl_loop *loop);
void tl_loop_unref(tl_loop *loop);

/* Queues an embedded place, as call_soon does; a no-op when it is queued. Never fails; the caller
 * has seen to it that the loop is open. */
static inline void tl_loop_queue(tl_loop *loop, struct tl_ready *ready)
{
    if (!tl_ready_queued(ready))
        tl_ready_queue_push(&loop->ready, ready);
}

/* Queues an embedded place behind everything that runs in this iteration, to run in it as well; as
 * tl_loop_queue outside of a batch. */
static inline void tl_loop_queue_last(tl_loop *loop, struct tl_ready *ready)
{
    if (tl_ready_queued(ready))
        return;
    if (tl_ready_queued(&loop->batch_end))
        tl_ready_insert(ready, &loop->batch_end);
    else
        tl_ready_queue_push(&loop->ready, ready);
}

static inline bool tl_loop_open(const tl_loop *loop)
{
    return loop->kernel != NULL;
}

/* Debug mode, for what any thread may ask. */
static inline bool tl_loop_debug(const tl_loop *loop)
{
    return __atomic_load_n(&loop->debug, __ATOMIC_RELAXED);
}

/* Reports an error to the exception handler: a sentence, and the code if it is negative. The rest
 * may be NULL. */
void tl_loop_report(tl_loop *loop, const char *message, int code, tl_protocol *protocol,
                    tl_transport *transport);

/* A future of this loop that has failed already (never NULL). message may be NULL. */
tl_future *tl_loop_failed_future(tl_loop *loop, int code, const char *message);

/* The loop's own future functions for operations. on_cancel(arg) is called inside tl_future_cancel
 * of a pending future, before its callbacks are queued: the operation is called off there. Cleared
 * when the future is done. */
void tl_future_set_canceller(tl_future *future, void (*on_cancel)(void *arg), void *arg);

/* As tl_future_set_exception with a formatted message. */
int tl_future_fail(tl_future *future, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
