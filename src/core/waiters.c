/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for one thing to happen, each with a future of its own; see waiters.h.
 *
 * A waiter is allocated for each future, and lives until that is done, cancelled or dropped.
 */
#include "core/waiters.h"

#include <errno.h>

#include "core/alloc.h"
#include "core/loop.h"

struct tl_waiter {
    struct tl_waiter *next;
    struct tl_waiters *waiters;
    tl_future *future; /* a reference */
};

void tl_waiters_init(struct tl_waiters *waiters)
{
    waiters->first = NULL;
    waiters->end = &waiters->first;
}

static struct tl_waiter *pop(struct tl_waiters *waiters)
{
    struct tl_waiter *waiter = waiters->first;
    if (waiter == NULL)
        return NULL;
    waiters->first = waiter->next;
    if (waiters->first == NULL)
        waiters->end = &waiters->first;
    return waiter;
}

static void waiter_free(struct tl_waiter *waiter)
{
    tl_future_unref(waiter->future);
    tl_free(waiter);
}

static void cancel(void *arg)
{
    struct tl_waiter *waiter = arg;
    struct tl_waiter **link = &waiter->waiters->first;
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    if (waiter->next == NULL)
        waiter->waiters->end = link;
    waiter_free(waiter);
}

void tl_waiters_finish(struct tl_waiters *waiters)
{
    struct tl_waiter *waiter;
    while ((waiter = pop(waiters)) != NULL) {
        /* Fails only when the program has finished the future itself. */
        (void)tl_future_set_result(waiter->future, tl_value_none());
        waiter_free(waiter);
    }
}

void tl_waiters_drop(struct tl_waiters *waiters)
{
    struct tl_waiter *waiter;
    while ((waiter = pop(waiters)) != NULL) {
        tl_future_set_canceller(waiter->future, NULL, NULL);
        waiter_free(waiter);
    }
}

tl_future *tl_waiters_add(struct tl_waiters *waiters, tl_loop *loop)
{
    tl_future *future = tl_loop_create_future(loop);
    if (tl_future_done(future))
        return future;
    if (!tl_loop_open(loop)) {
        (void)tl_future_set_exception(future, TL_ECLOSED, NULL);
        return future;
    }
    struct tl_waiter *waiter = tl_alloc(sizeof *waiter);
    if (waiter == NULL) {
        (void)tl_future_set_exception(future, -ENOMEM, NULL);
        return future;
    }
    *waiter = (struct tl_waiter){.waiters = waiters, .future = tl_future_ref(future)};
    tl_future_set_canceller(future, cancel, waiter);
    *waiters->end = waiter;
    waiters->end = &waiter->next;
    return future;
}
