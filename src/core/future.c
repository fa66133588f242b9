/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futures: one result, later.
 *
 *      PENDING --set_result--> FINISHED
 *         |----set_exception-> FAILED
 *         `----cancel--------> CANCELLED
 *
 * Who completes: the operation that made the future, exactly once; whoever comes second gets
 * TL_ESTATE. Who hears of it is future_callback.c's.
 *
 * The loop's reserve is one future that has failed with -ENOMEM from the start, given out when no
 * other can be made. A reference to it is a reference to its loop.
 */
#include "core/future.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/alloc.h"
#include "core/debug.h"
#include "core/error.h"
#include "core/loop.h"
#include "core/self.h"

enum { MESSAGE_MAX = 512 };

static const struct tl_future_type future_type = {
    .object = {.name = "future", .destroy = tl_future_destroy},
    .never_retrieved = "Future exception was never retrieved",
};

/* --- Life ------------------------------------------------------------------------------------- */

void tl_future_init(tl_future *future, tl_loop *loop, const struct tl_future_type *type)
{
    *future = (tl_future){.loop = tl_loop_ref(loop), .state = TL_FUTURE_PENDING};
    tl_object_init(&future->object, &type->object);
    future->callbacks_end = &future->callbacks;
    if (loop->debug)
        future->created = tl_traceback_new();
}

tl_future *tl_loop_create_future(tl_loop *loop)
{
    if (loop == NULL)
        return NULL;
    tl_future *future = tl_alloc(sizeof *future);
    if (future == NULL)
        return tl_future_ref(loop->reserve);
    tl_future_init(future, loop, &future_type);
    return future;
}

tl_future *tl_future_new_reserve(tl_loop *loop)
{
    tl_future *future = tl_calloc(sizeof *future);
    if (future == NULL)
        return NULL;
    tl_object_init(&future->object, &future_type.object);
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
        .message = tl_future_type(future)->never_retrieved,
        .exception = &future->error,
        .future = future,
        .source_traceback = future->created,
    };
    tl_loop_call_exception_handler(future->loop, &context);
}

void tl_future_destroy(tl_object *object)
{
    tl_future *future = tl_container_of(object, tl_future, object);
    if (future->state == TL_FUTURE_FAILED && !future->fetched) {
        object->refs = 1; /* the handler may look at it, and even take a reference */
        future->fetched = true;
        report_unfetched(future);
        if (--object->refs != 0)
            return;
    }
    object->refs = 1; /* what is given back now may still look at it */
    if (future->callbacks != NULL)
        tl_future_drop_callbacks(future);
    if (tl_future_type(future)->finish != NULL)
        tl_future_type(future)->finish(future);
    tl_value_finish(&future->result);
    tl_free(future->error_copy);
    tl_traceback_free(future->created);
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

int tl_future_code(const tl_future *future)
{
    switch (future->state) {
    case TL_FUTURE_PENDING:
        return TL_ESTATE;
    case TL_FUTURE_CANCELLED:
        return -ECANCELED;
    case TL_FUTURE_FAILED:
        return future->error.code;
    case TL_FUTURE_FINISHED:
        break;
    }
    return 0;
}

void tl_future_forgive(tl_future *future)
{
    future->fetched = true; /* says nothing unless it has failed */
}

int tl_future_result(tl_future *future, tl_value *ret)
{
    if (future == NULL)
        return -EINVAL;
    int r = tl_future_code(future);
    if (future->state == TL_FUTURE_FAILED)
        tl_future_forgive(future);
    if (r == 0 && ret != NULL)
        *ret = tl_value_take(&future->result);
    return r;
}

const tl_error *tl_future_exception(tl_future *future)
{
    int r = future != NULL ? tl_future_code(future) : -EINVAL;
    bool failed = future != NULL && future->state == TL_FUTURE_FAILED;
    tl_thread_self()->last_error = failed ? 0 : r;
    if (!failed)
        return NULL;
    tl_future_forgive(future);
    return &future->error;
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

/* The future may be gone afterwards. */
static void complete(tl_future *future, enum tl_future_state state)
{
    future->state = state;
    future->on_cancel = NULL;
    if (future->callbacks != NULL)
        tl_future_queue_callbacks(future);
    if (tl_future_type(future)->completed != NULL)
        tl_future_type(future)->completed(future);
}

/* The same for a program that wants to, which cannot finish what the library finishes. */
static int settable(const tl_future *future)
{
    int r = completable(future);
    return r == 0 && future->sealed ? TL_ESTATE : r;
}

int tl_future_set_result(tl_future *future, tl_value value)
{
    int r = settable(future);
    if (r < 0)
        return r;
    future->result = value;
    complete(future, TL_FUTURE_FINISHED);
    return 0;
}

int tl_future_set_error(tl_future *future, const tl_error *error)
{
    int r = settable(future);
    if (r < 0)
        return r;
    if (error == NULL || error->code >= 0)
        return -EINVAL;
    /* Without memory for the sentence and the causes the code's own sentence has to do. */
    future->error_copy = tl_error_copy(error);
    if (future->error_copy != NULL)
        future->error = *future->error_copy;
    else
        future->error = (tl_error){.code = error->code, .message = tl_strerror(error->code)};
    complete(future, TL_FUTURE_FAILED);
    return 0;
}

int tl_future_set_exception(tl_future *future, int code, const char *message)
{
    return tl_future_set_error(future, &(tl_error){.code = code, .message = message});
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

void tl_future_set_cancelled(tl_future *future)
{
    if (completable(future) == 0)
        complete(future, TL_FUTURE_CANCELLED);
}

void tl_future_settle(tl_future *future, tl_future *from)
{
    switch (from->state) {
    case TL_FUTURE_PENDING:
        break;
    case TL_FUTURE_FINISHED:
        if (completable(future) == 0)
            (void)tl_future_set_result(future, tl_value_take(&from->result));
        break;
    case TL_FUTURE_FAILED:
        tl_future_forgive(from);
        (void)tl_future_set_error(future, &from->error);
        break;
    case TL_FUTURE_CANCELLED:
        tl_future_set_cancelled(future);
        break;
    }
}

bool tl_future_cancel(tl_future *future)
{
    if (completable(future) < 0)
        return false;
    tl_future_ref(future); /* calling the operation off may drop the operation's reference */
    bool cancelled;
    if (tl_future_type(future)->cancel != NULL) {
        cancelled = tl_future_type(future)->cancel(future);
    } else {
        void (*on_cancel)(void *arg) = future->on_cancel;
        future->on_cancel = NULL;
        if (on_cancel != NULL)
            on_cancel(future->on_cancel_arg);
        cancelled = !tl_future_done(future);
        tl_future_set_cancelled(future);
    }
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
    if (future != NULL && !tl_future_done(future))
        (void)tl_future_set_exception(future, code, message);
    return future;
}
