/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running: the iteration, and the two ways to repeat it.
 *
 * An iteration is prepare (how long may the wait be), wait (ask the kernel, queue what it reports)
 * and dispatch (run what was queued by then, and the timers that were due by then). The order
 * inside is a contract that everything above relies on: callbacks queued earlier, then descriptors
 * in the kernel's order with a reader before its writer, then timers by deadline and turn.
 */
#include <errno.h>

#include "core/child.h"
#include "core/debug.h"
#include "core/executor.h"
#include "core/future.h"
#include "core/loop.h"
#include "core/post.h"
#include "core/resolve.h"
#include "core/self.h"
#include "core/signal.h"
#include "core/watch.h"

enum { EVENTS_MAX = 128 };

/* asyncio: a wait is capped at a day, which costs an empty iteration and guards against odd clocks.
 */
static const tl_time WAIT_MAX = 86400 * TL_SECOND;

/* How long it is until the next timer: nanoseconds, negative for ever. */
static __attribute__((noinline)) tl_time until_timer(tl_loop *loop)
{
    tl_time next = tl_timers_next(&loop->timers);
    if (next == TL_TIME_NEVER)
        return -1;
    tl_time now = loop->kernel->ops->now(loop->kernel);
    if (next <= now)
        return 0;
    /* As unsigned numbers the difference cannot overflow, however far apart the two are. */
    uint64_t wait = (uint64_t)next - (uint64_t)now;
    return wait < (uint64_t)WAIT_MAX ? (tl_time)wait : WAIT_MAX;
}

/* How long poll may wait, likewise. Without a timer, which is usual, nothing is asked. */
static inline tl_time prepare(tl_loop *loop)
{
    if (loop->stopping || !tl_ready_queue_empty(&loop->ready))
        return 0;
    return tl_timers_empty(&loop->timers) ? -1 : until_timer(loop);
}

/* Anything but a descriptor that can be read. */
static __attribute__((noinline)) void deliver_rare(tl_loop *loop, const struct tl_event *event)
{
    switch (event->kind) {
    case TL_EVENT_FD:
        tl_watch_deliver(event->token, loop, event->ready);
        break;
    case TL_EVENT_POSTED:
        tl_posts_deliver(loop, event->token);
        break;
    case TL_EVENT_WORK:
        tl_jobs_deliver(loop, event->token);
        break;
    case TL_EVENT_RESOLVED:
        tl_lookups_deliver(loop, event->token);
        break;
    case TL_EVENT_SIGNAL:
        tl_signals_deliver(loop, (int)event->value);
        break;
    case TL_EVENT_CHILD:
        tl_child_deliver(loop, event->token, event->value);
        break;
    default:
        break; /* nothing in this version asks for the rest */
    }
}

/* Queues what poll has brought. The queue hears of its new tail when that is no longer kept at
 * hand: before anything rare, and at the end. */
static inline void deliver(tl_loop *loop, const struct tl_event *events, int count)
{
    struct tl_ready *last = tl_ready_queue_tail(&loop->ready);
    for (int i = 0; i < count; i++) {
        const struct tl_event *event = &events[i];
        if (__builtin_expect(event->kind == TL_EVENT_FD && event->ready == TL_READABLE, 1)) {
            last = tl_watch_deliver_readable(event->token, loop, last);
            continue;
        }
        tl_ready_queue_end(&loop->ready, last);
        deliver_rare(loop, event);
        last = tl_ready_queue_tail(&loop->ready);
    }
    tl_ready_queue_end(&loop->ready, last);
}

/* As run_once, always part of run: a server with few connections makes one iteration for every
 * message. */
static inline __attribute__((always_inline)) int wait(tl_loop *loop, tl_time timeout)
{
    struct tl_event events[EVENTS_MAX];
    struct tl_kernel *kernel = loop->kernel;
    int count = kernel->ops->poll(kernel, timeout, events, EVENTS_MAX);
    loop->time_unread = true;
    if (!tl_timers_empty(&loop->timers))
        (void)tl_loop_iteration_time(loop);
    if (count < 0)
        return count;
    deliver(loop, events, count);
    return 0;
}

/* Runs the timers whose deadline has passed, but for those that were started in this batch. */
static __attribute__((noinline)) void dispatch_timers(tl_loop *loop, uint64_t turn)
{
    struct tl_timer *timer;
    while ((timer = tl_timers_expire(&loop->timers, loop->iteration_time, turn)) != NULL)
        timer->callback(timer->arg);
}

/* In debug mode. */
static __attribute__((noinline)) void dispatch_debug(tl_loop *loop, uint64_t turn)
{
    struct tl_ready *ready;
    while ((ready = tl_ready_queue_pop(&loop->ready)) != &loop->batch_end)
        tl_debug_run(loop, ready->callback, ready->arg);
    struct tl_timer *timer;
    while ((timer = tl_timers_expire(&loop->timers, loop->iteration_time, turn)) != NULL)
        tl_debug_run(loop, timer->callback, timer->arg);
}

static inline void dispatch(tl_loop *loop)
{
    /* asyncio: exactly what is queued or due now runs; what that adds comes in the next one. */
    struct tl_ready *ready;
    uint64_t turn = loop->timers.sequence;
    tl_ready_queue_push(&loop->ready, &loop->batch_end);
    if (__builtin_expect(loop->debug, false)) {
        dispatch_debug(loop, turn);
        return;
    }
    while ((ready = tl_ready_queue_pop(&loop->ready)) != &loop->batch_end)
        ready->callback(ready->arg);
    if (!tl_timers_empty(&loop->timers))
        dispatch_timers(loop, turn);
}

static inline __attribute__((always_inline)) int run_once(tl_loop *loop)
{
    int r = wait(loop, prepare(loop));
    if (r < 0)
        return r;
    dispatch(loop);
    return 0;
}

/* Again and again: until stopped, or for as long as the kernel goes along. */
static __attribute__((noinline)) int run(tl_loop *loop)
{
    int r;
    do
        r = run_once(loop);
    while (r == 0 && !loop->stopping);
    return r;
}

/* --- Runs ------------------------------------------------------------------------------------- */

static int check_can_run(const tl_loop *loop)
{
    if (loop == NULL)
        return -EINVAL;
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    if (loop->running)
        return -EALREADY;
    if (loop->closing)
        return -EBUSY;
    return tl_get_running_loop() != NULL ? -EBUSY : 0;
}

int tl_loop_run_forever(tl_loop *loop)
{
    int r = check_can_run(loop);
    if (r < 0)
        return r;
    struct tl_thread *self = tl_thread_self();
    tl_posts_own(loop, self);
    self->running = loop;
    self->running_pid = loop->kernel->ops->info(loop->kernel, TL_INFO_PID, NULL, NULL, 0);
    loop->running = true;
    loop->executing = NULL;
    __atomic_store_n(&loop->runner, self, __ATOMIC_RELAXED);
    loop->incoming.bytes = (struct iovec){self->read_buffer, TL_READ_BUFFER_SIZE};
    r = run(loop);
    loop->stopping = false;
    loop->running = false;
    __atomic_store_n(&loop->runner, NULL, __ATOMIC_RELAXED);
    self->running = NULL;
    return r;
}

void tl_loop_stop(tl_loop *loop)
{
    loop->stopping = true;
}

static void stop_when_done(tl_future *future, void *arg)
{
    (void)future;
    tl_loop_stop(arg);
}

int tl_loop_run_until_complete(tl_loop *loop, tl_future *future, tl_value *ret)
{
    int r = check_can_run(loop);
    if (r == 0 && (future == NULL || future->loop != loop))
        r = -EINVAL;
    if (r < 0) {
        tl_future_unref(future);
        return r;
    }
    /* asyncio: the callback that stops the loop is always taken away again, so a run that ended
     * otherwise leaves no trace on the future. */
    struct tl_done_callback stop;
    tl_future_attach(future, &stop, stop_when_done, loop);
    r = tl_loop_run_forever(loop);
    tl_future_detach_callback(&stop);
    if (tl_future_done(future))
        r = tl_future_result(future, ret);
    else if (r == 0)
        r = TL_ESTOPPED;
    tl_future_unref(future);
    return r;
}
