/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop's life: made on a kernel, closed, freed when its last holder lets go.
 *
 * Closing comes in two steps. First the loop forgets its kernel, so that whatever user code still
 * runs (a protocol's release) finds a closed loop. Then everything that could act is let go: live
 * objects are abandoned, the queue and the timers are discarded, and the kernel is destroyed, which
 * closes every descriptor, waits for the jobs that run and releases what other threads had handed
 * over; after that the jobs' memory is given up too.
 */
#include "core/loop.h"

#include <errno.h>

#include "core/alloc.h"
#include "core/datagram.h"
#include "core/executor.h"
#include "core/fd.h"
#include "core/future.h"
#include "core/handle.h"
#include "core/log.h"
#include "core/post.h"
#include "core/resolve.h"
#include "core/self.h"
#include "core/signal.h"
#include "core/stream.h"
#include "core/task.h"
#include "core/unclosed.h"

static const tl_time SLOW_CALLBACK_DURATION = 100 * TL_MILLISECOND;

/* --- Making and freeing ----------------------------------------------------------------------- */

static void loop_destroy(tl_object *object)
{
    tl_loop *loop = tl_container_of(object, tl_loop, object);
    tl_executor_unref(loop->default_executor);
    tl_task_pool_free(loop);
    tl_future_free_reserve(loop->reserve);
    tl_free(loop);
}

static const struct tl_object_type loop_type = {.name = "loop", .destroy = loop_destroy};

static bool debug_by_environment(struct tl_kernel *kernel)
{
    return kernel->ops->info(kernel, TL_INFO_ENVIRONMENT, "TWINLOOP_DEBUG", NULL, 0) > 0;
}

int tl_loop_new(struct tl_kernel *kernel, tl_loop **ret)
{
    if (kernel == NULL || ret == NULL)
        return -EINVAL;
    tl_loop *loop = tl_calloc(sizeof *loop);
    if (loop == NULL)
        return -ENOMEM;
    tl_object_init(&loop->object, &loop_type);
    loop->reserve = tl_future_new_reserve(loop);
    if (loop->reserve == NULL) {
        tl_free(loop);
        return -ENOMEM;
    }
    loop->kernel = kernel;
    loop->shared.owner = tl_thread_self();
    tl_ready_queue_init(&loop->ready);
    tl_piece_init(&loop->incoming);
    tl_piece_init(&loop->outgoing);
    tl_piece_init(&loop->offered);
    loop->live.next = &loop->live;
    loop->live.prev = &loop->live;
    loop->jobs_end = &loop->jobs;
    loop->iteration_time = kernel->ops->now(kernel);
    loop->debug = debug_by_environment(kernel);
    loop->slow_callback_duration = SLOW_CALLBACK_DURATION;
    *ret = loop;
    return 0;
}

int tl_loop_take(struct tl_kernel *kernel, tl_loop **ret)
{
    int r = tl_loop_new(kernel, ret);
    if (r < 0)
        kernel->ops->destroy(kernel);
    return r;
}

void tl_loop_free(tl_loop *loop)
{
    if (loop == NULL)
        return;
    if (loop->debug && tl_loop_open(loop) && !loop->running && !loop->closing)
        tl_log(TL_LOG_WARNING, "unclosed event loop"); /* asyncio: a ResourceWarning */
    if (tl_loop_close(loop) < 0)
        return; /* it is running: its runner still needs it */
    struct tl_thread *self = tl_thread_self();
    if (self->current == loop)
        self->current = NULL;
    tl_loop_unref(loop);
}

tl_loop *tl_loop_ref(tl_loop *loop)
{
    tl_object_ref(&loop->object);
    return loop;
}

void tl_loop_unref(tl_loop *loop)
{
    tl_object_unref(&loop->object);
}

/* --- What can act ----------------------------------------------------------------------------- */

void tl_live_add(struct tl_live *live, tl_loop *loop, void (*abandon)(struct tl_live *live))
{
    live->abandon = abandon;
    live->next = &loop->live;
    live->prev = loop->live.prev;
    live->prev->next = live;
    live->next->prev = live;
}

void tl_live_remove(struct tl_live *live)
{
    if (live->next == NULL)
        return;
    live->prev->next = live->next;
    live->next->prev = live->prev;
    live->next = NULL;
    live->prev = NULL;
}

static void abandon_all(tl_loop *loop)
{
    while (loop->live.next != &loop->live)
        loop->live.next->abandon(loop->live.next);
}

/* --- Closing ---------------------------------------------------------------------------------- */

/* The callbacks that own something, and how to let go of it when they will not run. */
static const struct {
    tl_callback run;
    tl_callback discard;
} owners[] = {
    {tl_handle_run, tl_handle_discard},
    {tl_timer_handle_run, tl_timer_handle_discard},
    {tl_done_callback_run, tl_done_callback_discard},
    {tl_message_run, tl_message_discard},
    {tl_signal_run, tl_signal_discard},
};

static void discard(tl_callback callback, void *arg)
{
    for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++)
        if (callback == owners[i].run) {
            owners[i].discard(arg);
            return;
        }
}

static void discard_queue(struct tl_ready_queue *queue)
{
    while (!tl_ready_queue_empty(queue)) {
        struct tl_ready *ready = tl_ready_queue_pop(queue);
        discard(ready->callback, ready->arg);
    }
}

static void discard_timers(struct tl_timers *timers)
{
    struct tl_timer *timer;
    while ((timer = tl_timers_take(timers)) != NULL)
        discard(timer->callback, timer->arg);
    tl_timers_finish(timers);
}

int tl_loop_close(tl_loop *loop)
{
    if (loop == NULL)
        return -EINVAL;
    if (loop->running || loop->closing)
        return -EBUSY;
    if (!tl_loop_open(loop))
        return 0;
    tl_loop_ref(loop);
    if (loop->debug) {
        loop->closing = true;
        tl_loop_report_unclosed(loop);
        loop->closing = false;
    }
    tl_signals_close(loop);
    tl_fds_close(loop);
    loop->iteration_time = loop->kernel->ops->now(loop->kernel); /* the last word on it */
    loop->time_unread = false;
    tl_posts_close(loop);
    tl_streams_closing(loop);
    tl_datagrams_closing(loop);
    struct tl_kernel *kernel = loop->kernel;
    loop->kernel = NULL;
    tl_handle_pool_finish(&loop->handles); /* which call_soon takes from without another look */
    abandon_all(loop);
    discard_queue(&loop->ready);
    discard_timers(&loop->timers);
    kernel->ops->destroy(kernel);
    tl_executor_close_loop(loop);
    tl_lookups_drop(loop);
    tl_posted_pool_finish(loop);
    tl_free(loop->inbox);
    loop->inbox = NULL;
    tl_loop_unref(loop);
    return 0;
}

/* --- Asking ----------------------------------------------------------------------------------- */

struct tl_kernel *tl_loop_kernel(const tl_loop *loop)
{
    return loop->kernel;
}

bool tl_loop_is_running(const tl_loop *loop)
{
    /* Other threads may ask, too. */
    return __atomic_load_n(&loop->runner, __ATOMIC_RELAXED) != NULL;
}

bool tl_loop_is_closed(const tl_loop *loop)
{
    return !tl_loop_open(loop);
}

void tl_loop_set_debug(tl_loop *loop, bool enabled)
{
    __atomic_store_n(&loop->debug, enabled, __ATOMIC_RELAXED);
}

bool tl_loop_get_debug(const tl_loop *loop)
{
    return loop->debug;
}

int tl_loop_set_slow_callback_duration(tl_loop *loop, tl_time duration)
{
    if (loop == NULL || duration < 0)
        return -EINVAL;
    loop->slow_callback_duration = duration;
    return 0;
}

tl_time tl_loop_get_slow_callback_duration(const tl_loop *loop)
{
    return loop->slow_callback_duration;
}

tl_time tl_loop_time(tl_loop *loop)
{
    return tl_loop_open(loop) ? loop->kernel->ops->now(loop->kernel) : loop->iteration_time;
}

tl_time tl_loop_iteration_time(tl_loop *loop)
{
    if (loop->time_unread && tl_loop_open(loop)) {
        loop->iteration_time = loop->kernel->ops->now(loop->kernel);
        loop->time_unread = false;
    }
    return loop->iteration_time;
}
