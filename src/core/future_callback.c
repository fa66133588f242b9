/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The done-callbacks of futures.
 *
 *     registered --the future is done--> queued --its turn--> over
 *          |                                |
 *          `--- removed or detached; the future or the loop goes ---> over, and never called
 *
 * A registration carries its own place in the ready queue, made when the callback is added, so
 * completing a future allocates nothing and cannot fail for want of memory. While it is queued it
 * holds the future.
 */
#include <errno.h>

#include "core/alloc.h"
#include "core/future.h"
#include "core/loop.h"

/* Over: it will not be called any more. */
static void registration_end(struct tl_done_callback *registration)
{
    registration->future = NULL;
    if (!registration->embedded)
        tl_free(registration);
}

void tl_done_callback_run(void *arg)
{
    struct tl_done_callback *registration = arg;
    tl_future *future = registration->future;
    tl_future_callback callback = registration->callback;
    void *callback_arg = registration->arg;
    registration_end(registration); /* first, for the callback may free what it is embedded in */
    callback(future, callback_arg);
    tl_future_unref(future);
}

void tl_done_callback_discard(void *arg)
{
    struct tl_done_callback *registration = arg;
    tl_future *future = registration->future;
    registration_end(registration);
    tl_future_unref(future);
}

static inline bool done(const tl_future *future)
{
    return future->state != TL_FUTURE_PENDING;
}

static void attach(tl_future *future, struct tl_done_callback *registration,
                   tl_future_callback callback, void *arg)
{
    *registration = (struct tl_done_callback){
        .future = future, .callback = callback, .arg = arg, .embedded = registration->embedded};
    tl_ready_init(&registration->ready, tl_done_callback_run, registration);
    if (done(future)) {
        tl_future_ref(future);
        tl_loop_queue(future->loop, &registration->ready);
        return;
    }
    *future->callbacks_end = registration;
    future->callbacks_end = &registration->next;
}

int tl_future_add_done_callback(tl_future *future, tl_future_callback callback, void *arg)
{
    if (future == NULL || callback == NULL)
        return -EINVAL;
    if (done(future) && !tl_loop_open(future->loop))
        return TL_ECLOSED;
    struct tl_done_callback *registration = tl_alloc(sizeof *registration);
    if (registration == NULL)
        return -ENOMEM;
    registration->embedded = false;
    attach(future, registration, callback, arg);
    return 0;
}

void tl_future_attach(tl_future *future, struct tl_done_callback *registration,
                      tl_future_callback callback, void *arg)
{
    registration->embedded = true;
    attach(future, registration, callback, arg);
}

bool tl_future_last_attached(const tl_future *future, tl_future_callback callback, const void *arg)
{
    if (future->callbacks == NULL)
        return false;
    const struct tl_done_callback *last =
        tl_container_of(future->callbacks_end, struct tl_done_callback, next);
    return last->callback == callback && last->arg == arg;
}

/* Unlinks the registration that *link refers to. */
static void unlink_at(tl_future *future, struct tl_done_callback **link)
{
    struct tl_done_callback *registration = *link;
    *link = registration->next;
    if (future->callbacks_end == &registration->next)
        future->callbacks_end = link;
}

void tl_future_detach_callback(struct tl_done_callback *registration)
{
    tl_future *future = registration->future;
    if (future == NULL)
        return; /* its turn has come */
    if (tl_ready_queued(&registration->ready)) {
        tl_ready_remove(&registration->ready);
        tl_done_callback_discard(registration);
        return;
    }
    struct tl_done_callback **link = &future->callbacks;
    while (*link != registration)
        link = &(*link)->next;
    unlink_at(future, link);
    registration_end(registration);
}

unsigned tl_future_remove_done_callback(tl_future *future, tl_future_callback callback, void *arg)
{
    unsigned removed = 0;
    if (future == NULL)
        return 0;
    struct tl_done_callback **link = &future->callbacks;
    while (*link != NULL) {
        struct tl_done_callback *registration = *link;
        if (registration->callback != callback || registration->arg != arg) {
            link = &registration->next;
            continue;
        }
        unlink_at(future, link);
        registration_end(registration);
        removed++;
    }
    return removed;
}

/* asyncio: through call_soon, in the order in which they were added. */
void tl_future_queue_callbacks(tl_future *future)
{
    do {
        struct tl_done_callback *registration = future->callbacks;
        unlink_at(future, &future->callbacks);
        registration->next = NULL;
        tl_object_ref(&future->object); /* it is no reserve, for it was pending */
        tl_loop_queue(future->loop, &registration->ready);
    } while (future->callbacks != NULL);
}

void tl_future_drop_callbacks(tl_future *future)
{
    while (future->callbacks != NULL) {
        struct tl_done_callback *registration = future->callbacks;
        unlink_at(future, &future->callbacks);
        registration_end(registration);
    }
}
