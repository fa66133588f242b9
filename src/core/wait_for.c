/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait_for: an outer future that follows an inner one, and cancels it when its time is up.
 *
 * It never ends before the inner one has: a task that is cancelled may have things to clean up, and
 * who waited for it relies on their being done.
 */
#include <errno.h>

#include <twinloop/gather.h>

#include "core/kept.h"

struct wait_for {
    struct tl_kept kept;
    struct tl_timer timer;
    tl_future *inner;             /* a reference, until it is over */
    struct tl_done_callback done; /* on inner */
    bool expired;                 /* the inner one was cancelled because its time was up */
    bool cancelled;               /* because this one was */
};

static void fail_with_timeout(struct wait_for *wait)
{
    const tl_error cause = {.code = -ECANCELED, .message = tl_strerror(-ECANCELED)};
    const tl_error error = {.code = -ETIMEDOUT, .cause = &cause};
    (void)tl_future_set_error(&wait->kept.future, &error);
}

static void inner_done(tl_future *inner, void *arg)
{
    struct wait_for *wait = arg;
    /* asyncio: what ended otherwise than by the cancellation has its own outcome. */
    if (wait->expired && !wait->cancelled && tl_future_code(inner) == -ECANCELED) {
        tl_future_forgive(inner);
        fail_with_timeout(wait);
    } else {
        tl_future_settle(&wait->kept.future, inner);
    }
}

static void expire(void *arg)
{
    struct wait_for *wait = arg;
    if (tl_future_done(wait->inner))
        return; /* in time: its callback is on its way */
    wait->expired = true;
    (void)tl_future_cancel(wait->inner);
}

static bool cancel(tl_future *future)
{
    struct wait_for *wait = tl_container_of(tl_kept_of(future), struct wait_for, kept);
    bool in_time = tl_kept_is_over(&wait->kept) ||
                   (tl_future_done(wait->inner) && !wait->expired && !wait->cancelled);
    wait->cancelled = true;
    if (in_time)
        tl_future_set_cancelled(future); /* there is nothing left to wait for */
    else
        (void)tl_future_cancel(wait->inner);
    return true;
}

static void let_go(struct tl_kept *kept)
{
    struct wait_for *wait = tl_container_of(kept, struct wait_for, kept);
    tl_timer_stop(&wait->timer);
    tl_future_detach_callback(&wait->done);
    tl_future_unref(wait->inner);
}

static const struct tl_kept_type wait_for_type = {
    .future = {.object = {.name = "wait_for", .destroy = tl_future_destroy},
               .never_retrieved = "Future exception was never retrieved",
               .cancel = cancel,
               .completed = tl_kept_completed},
    .let_go = let_go,
};

/* 0, or why the time cannot be waited for. */
static int start(struct wait_for *wait, tl_time timeout)
{
    tl_loop *loop = wait->kept.future.loop;
    if (timeout <= 0) {
        expire(wait);
        return 0;
    }
    tl_time when;
    int r = tl_kept_deadline(loop, timeout, &when);
    return r < 0 || when == TL_TIME_NEVER ? r : tl_timer_start(&wait->timer, when);
}

tl_future *tl_wait_for(tl_loop *loop, tl_future *future, tl_time timeout)
{
    int r = loop != NULL ? tl_kept_check(loop, &future, 1) : -EINVAL;
    struct wait_for *wait = r == 0 ? tl_kept_new(loop, sizeof *wait, &wait_for_type) : NULL;
    if (wait == NULL) {
        tl_future_unref(future);
        return tl_loop_failed_future(loop, r < 0 ? r : -ENOMEM, NULL);
    }
    wait->inner = future;
    tl_timer_init(&wait->timer, loop, expire, wait);
    tl_future_attach(future, &wait->done, inner_done, wait);
    r = start(wait, timeout);
    if (r < 0)
        (void)tl_future_set_exception(&wait->kept.future, r, NULL);
    return &wait->kept.future;
}
