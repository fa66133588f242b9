/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futures: one result, later.
 *
 *      PENDING --set_result--> FINISHED
 *         |----set_exception-> FAILED
 *         `----cancel--------> CANCELLED
 *
 * Who completes: the operation that made the future, exactly once; whoever comes second gets
 * TL_ESTATE. A registration of a done-callback carries its own place in the ready queue, made when
 * the callback is added, so completing a future allocates nothing and cannot fail for want of
 * memory.
 *
 * The loop's reserve is one future that has failed with -ENOMEM from the start, given out when no
 * other can be made. A reference to it is a reference to its loop.
 */
#include "core/future.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/loop.h"

enum { MESSAGE_MAX = 512 };

static void future_destroy(tl_object *object);

static const struct tl_object_type future_type = {.name = "future", .destroy = future_destroy};

/* --- Life ------------------------------------------------------------------------------------- */

tl_future *tl_loop_create_future(tl_loop *loop)
{
    tl_future *future = tl_alloc(sizeof *future);
    if (future == NULL)
        return tl_future_ref(loop->reserve);
    *future = (tl_future){.loop = tl_loop_ref(loop), .state = TL_FUTURE_PENDING};
    tl_object_init(&future->object, &future_type);
    future->callbacks_end = &future->callbacks;
    return future;
}

tl_future *tl_future_new_reserve(tl_loop *loop)
{
    tl_future *future = tl_calloc(sizeof *future);
    if (future == NULL)
        return NULL;
    tl_object_init(&future->object, &future_type);
    future->loop = loop;
    future->state = TL_FUTURE_FAILED;
    future->fetched = true;
    future->is_reserve = true;
    future->callbacks_end = &future->callbacks;
    future->error = (tl_error){.code = -ENOMEM, .message = tl_strerror(-ENOMEM)};
    return future;
}

void tl_future_free_reserve(tl_future *future)
{
    tl_free(future);
}

tl_future *tl_future_ref(tl_future *future)
{
    if (future->is_reserve)
        tl_loop_ref(future->loop);
    else
        tl_object_ref(&future->object);
    return future;
}

void tl_future_unref(tl_future *future)
{
    if (future == NULL)
        return;
    if (future->is_reserve)
        tl_loop_unref(future->loop);
    else
        tl_object_unref(&future->object);
}

void tl_future_detach(tl_future *future)
{
    tl_future_unref(future);
}

static void report_unfetched(tl_future *future)
{
    /* asyncio: a failure that nobody fetched is reported when the future goes. */
    const tl_exc_context context = {
        .message = "Future exception was never retrieved",
        .exception = &future->error,
        .future = future,
    };
    tl_loop_call_exception_handler(future->loop, &context);
}

static void future_destroy(tl_object *object)
{
    tl_future *future = tl_container_of(object, tl_future, object);
    assert(future->callbacks == NULL && "a registration holds the future");
    if (future->state == TL_FUTURE_FAILED && !future->fetched) {
        object->refs = 1; /* the handler may look at it, and even take a reference */
        report_unfetched(future);
        future->fetched = true;
        if (--object->refs != 0)
            return;
    }
    tl_value_finish(&future->result);
    tl_free(future->message);
    tl_loop *loop = future->loop;
    tl_free(future);
    tl_loop_unref(loop);
}

/* --- Asking ----------------------------------------------------------------------------------- */

tl_loop *tl_future_get_loop(const tl_future *future)
{
    return future->loop;
}

bool tl_future_done(const tl_future *future)
{
    return future->state != TL_FUTURE_PENDING;
}

bool tl_future_cancelled(const tl_future *future)
{
    return future->state == TL_FUTURE_CANCELLED;
}

int tl_future_result(tl_future *future, tl_value *ret)
{
    if (future == NULL)
        return -EINVAL;
    switch (future->state) {
    case TL_FUTURE_PENDING:
        return TL_ESTATE;
    case TL_FUTURE_CANCELLED:
        return -ECANCELED;
    case TL_FUTURE_FAILED:
        future->fetched = true;
        return future->error.code;
    case TL_FUTURE_FINISHED:
        break;
    }
    if (ret != NULL)
        *ret = tl_value_take(&future->result);
    return 0;
}

const tl_error *tl_future_exception(tl_future *future)
{
    if (future->state != TL_FUTURE_FAILED)
        return NULL;
    future->fetched = true;
    return &future->error;
}

/* --- Done-callbacks --------------------------------------------------------------------------- */

static void done_callback_free(struct tl_done_callback *registration)
{
    tl_future *future = registration->future;
    registration->future = NULL; /* tells tl_future_detach_callback that this one is over */
    if (!registration->embedded)
        tl_free(registration);
    tl_future_unref(future);
}

void tl_done_callback_run(void *arg)
{
    struct tl_done_callback *registration = arg;
    registration->callback(registration->future, registration->arg);
    done_callback_free(registration);
}

void tl_done_callback_discard(void *arg)
{
    done_callback_free(arg);
}

static void registration_init(struct tl_done_callback *registration, tl_future *future,
                              tl_future_callback callback, void *arg)
{
    *registration = (struct tl_done_callback){
        .future = tl_future_ref(future), .callback = callback, .arg = arg};
    tl_ready_init(&registration->ready, tl_done_callback_run, registration);
}

static void attach(tl_future *future, struct tl_done_callback *registration)
{
    if (tl_future_done(future)) {
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
    if (tl_future_done(future) && !tl_loop_open(future->loop))
        return TL_ECLOSED;
    struct tl_done_callback *registration = tl_alloc(sizeof *registration);
    if (registration == NULL)
        return -ENOMEM;
    registration_init(registration, future, callback, arg);
    attach(future, registration);
    return 0;
}

void tl_future_attach(tl_future *future, struct tl_done_callback *registration,
                      tl_future_callback callback, void *arg)
{
    registration_init(registration, future, callback, arg);
    registration->embedded = true;
    attach(future, registration);
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
        return; /* it has run */
    struct tl_done_callback **link = &future->callbacks;
    while (*link != NULL && *link != registration)
        link = &(*link)->next;
    if (*link == registration)
        unlink_at(future, link);
    tl_ready_remove(&registration->ready);
    done_callback_free(registration);
}

unsigned tl_future_remove_done_callback(tl_future *future, tl_future_callback callback, void *arg)
{
    unsigned removed = 0;
    struct tl_done_callback **link = &future->callbacks;
    while (*link != NULL) {
        struct tl_done_callback *registration = *link;
        if (registration->callback != callback || registration->arg != arg) {
            link = &registration->next;
            continue;
        }
        unlink_at(future, link);
        done_callback_free(registration);
        removed++;
    }
    return removed;
}

/* --- Completing ------------------------------------------------------------------------------- */

/* Whether the future can be completed now; asyncio: with callbacks waiting it needs an open loop.
 */
static int completable(const tl_future *future)
{
    if (future == NULL)
        return -EINVAL;
    if (tl_future_done(future))
        return TL_ESTATE;
    if (future->callbacks != NULL && !tl_loop_open(future->loop))
        return TL_ECLOSED;
    return 0;
}

/* asyncio: callbacks go through call_soon, in the order in which they were added. */
static void complete(tl_future *future, enum tl_future_state state)
{
    future->state = state;
    future->on_cancel = NULL;
    struct tl_done_callback *registration = future->callbacks;
    future->callbacks = NULL;
    future->callbacks_end = &future->callbacks;
    while (registration != NULL) {
        struct tl_done_callback *next = registration->next;
        registration->next = NULL;
        tl_loop_queue(future->loop, &registration->ready);
        registration = next;
    }
}

int tl_future_set_result(tl_future *future, tl_value value)
{
    int r = completable(future);
    if (r < 0)
        return r;
    future->result = value;
    complete(future, TL_FUTURE_FINISHED);
    return 0;
}

int tl_future_set_exception(tl_future *future, int code, const char *message)
{
    int r = completable(future);
    if (r < 0)
        return r;
    if (code >= 0)
        return -EINVAL;
    future->error = (tl_error){.code = code, .message = tl_strerror(code)};
    if (message != NULL) {
        /* Without memory for the sentence the code's own has to do. */
        future->message = tl_alloc(strlen(message) + 1);
        if (future->message != NULL)
            future->error.message = strcpy(future->message, message);
    }
    complete(future, TL_FUTURE_FAILED);
    return 0;
}

int tl_future_fail(tl_future *future, int code, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return tl_future_set_exception(future, code, message);
}

bool tl_future_cancel(tl_future *future)
{
    if (completable(future) < 0)
        return false;
    tl_future_ref(future); /* calling the operation off may drop the operation's reference */
    void (*on_cancel)(void *arg) = future->on_cancel;
    future->on_cancel = NULL;
    if (on_cancel != NULL)
        on_cancel(future->on_cancel_arg);
    bool cancelled = !tl_future_done(future);
    if (cancelled)
        complete(future, TL_FUTURE_CANCELLED);
    tl_future_unref(future);
    return cancelled;
}

void tl_future_set_canceller(tl_future *future, void (*on_cancel)(void *arg), void *arg)
{
    if (tl_future_done(future))
        return;
    future->on_cancel = on_cancel;
    future->on_cancel_arg = arg;
}

tl_future *tl_loop_failed_future(tl_loop *loop, int code, const char *message)
{
    tl_future *future = tl_loop_create_future(loop);
    if (!tl_future_done(future))
        (void)tl_future_set_exception(future, code, message);
    return future;
}
