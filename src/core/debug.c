/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What debug mode does beyond checking arguments: it notes where handles and futures are made, and
 * times each callback. Code addresses are turned into names only when something is reported; both
 * that and the walk up the stack are the context's to do.
 */
#include "core/debug.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "core/alloc.h"
#include "core/future.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/self.h"

enum { NAME_MAX_LEN = 128 };

/* --- Where ------------------------------------------------------------------------------------ */

static __attribute__((noinline)) void traceback_take(tl_traceback *traceback)
{
    struct tl_context *context = tl_thread_self()->context;
    traceback->depth = context->ops->backtrace(context, traceback->frames, TL_TRACEBACK_DEPTH);
}

tl_traceback *tl_traceback_new(void)
{
    tl_traceback *traceback = tl_alloc(sizeof *traceback);
    if (traceback != NULL)
        traceback_take(traceback);
    return traceback;
}

tl_traceback *tl_traceback_copy(const tl_traceback *traceback)
{
    tl_traceback *copy = traceback != NULL ? tl_alloc(sizeof *copy) : NULL;
    if (copy != NULL)
        *copy = *traceback;
    return copy;
}

void tl_traceback_free(tl_traceback *traceback)
{
    tl_free(traceback);
}

unsigned tl_traceback_depth(const tl_traceback *traceback)
{
    return traceback != NULL ? traceback->depth : 0;
}

int tl_traceback_frame(const tl_traceback *traceback, unsigned index, char *text, size_t size)
{
    if (index >= tl_traceback_depth(traceback) || text == NULL || size == 0)
        return -EINVAL;
    /* The call is right before where it returns to, which may be in the next function already. */
    tl_debug_symbol((const char *)traceback->frames[index] - 1, text, size);
    return 0;
}

tl_handle *tl_traced_handle_new(tl_callback callback, void *arg, tl_handle **ret)
{
    struct tl_traced_handle *traced = tl_alloc(sizeof *traced);
    if (traced == NULL)
        return NULL;
    tl_handle_init(&traced->handle, callback, arg, ret);
    tl_traced_handle_sign(&traced->handle);
    return &traced->handle;
}

void tl_traced_handle_sign(tl_handle *handle)
{
    handle->traced = true;
    traceback_take(&tl_container_of(handle, struct tl_traced_handle, handle)->created);
}

tl_timer_handle *tl_traced_timer_handle_alloc(void)
{
    struct tl_traced_timer_handle *traced = tl_alloc(sizeof *traced);
    if (traced == NULL)
        return NULL;
    traceback_take(&traced->created);
    return &traced->handle;
}

/* --- Who -------------------------------------------------------------------------------------- */

void tl_debug_symbol(const void *address, char *text, size_t size)
{
    struct tl_context *context = tl_thread_self()->context;
    context->ops->symbol(context, address, text, size);
}

void tl_debug_callback_name(tl_callback callback, char *text, size_t size)
{
    /* POSIX lets a function's address pass for a pointer; the C language alone does not. */
    union {
        tl_callback function;
        const void *address;
    } code = {.function = callback};
    tl_debug_symbol(code.address, text, size);
}

bool tl_debug_wrong_thread(const tl_loop *loop)
{
    const struct tl_thread *runner = __atomic_load_n(&loop->runner, __ATOMIC_RELAXED);
    return runner != NULL && runner != tl_thread_self();
}

/* --- How long --------------------------------------------------------------------------------- */

static tl_callback future_callback(const struct tl_done_callback *registration)
{
    union {
        tl_future_callback of_future;
        tl_callback plain;
    } function = {.of_future = registration->callback};
    return function.plain;
}

/* The callback that the program knows of, behind the core's own. */
static void identify(tl_callback callback, const void *arg, struct tl_executing *executing)
{
    *executing = (struct tl_executing){.callback = callback};
    if (callback == tl_handle_run) {
        const struct tl_traced_handle *handle = arg;
        executing->callback = handle->handle.callback;
        executing->traced = handle->handle.traced;
        if (executing->traced)
            executing->created = handle->created;
    } else if (callback == tl_timer_handle_run) {
        const struct tl_traced_timer_handle *handle = arg;
        executing->callback = handle->handle.callback;
        executing->traced = handle->handle.traced;
        if (executing->traced)
            executing->created = handle->created;
    } else if (callback == tl_done_callback_run) {
        executing->callback = future_callback(arg);
    }
}

static void report_slow(const struct tl_executing *executing, tl_time took)
{
    char name[NAME_MAX_LEN];
    tl_debug_callback_name(executing->callback, name, sizeof name);
    tl_time thousandths = took / TL_MILLISECOND + (took % TL_MILLISECOND >= TL_MILLISECOND / 2);
    tl_log(TL_LOG_WARNING, "Executing %s took %" PRId64 ".%03" PRId64 " seconds", name,
           thousandths / 1000, thousandths % 1000);
}

void tl_debug_run(tl_loop *loop, tl_callback callback, void *arg)
{
    struct tl_executing executing;
    identify(callback, arg, &executing);
    loop->executing = &executing;
    tl_time start = loop->kernel->ops->now(loop->kernel);
    callback(arg);
    tl_time took = loop->kernel->ops->now(loop->kernel) - start;
    loop->executing = NULL;
    if (took >= loop->slow_callback_duration)
        report_slow(&executing, took);
}
