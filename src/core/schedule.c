/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheduling: call_soon, call_later, call_at. Each makes a handle that owns itself and puts it
 * where its turn will come; see core/handle.h for who holds it.
 */
#include <errno.h>

#include "core/alloc.h"
#include "core/debug.h"
#include "core/handle.h"
#include "core/loop.h"

/* As call_soon, where a handle's memory does not come from the loop's pool. */
static __attribute__((noinline)) int call_soon_new(tl_loop *loop, tl_callback callback, void *arg,
                                                   tl_handle **ret)
{
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    if (loop->debug && tl_debug_wrong_thread(loop))
        return TL_ETHREAD;
    tl_handle *handle =
        loop->debug ? tl_traced_handle_new(callback, arg, ret) : tl_handle_new(callback, arg, ret);
    if (handle == NULL)
        return -ENOMEM;
    tl_loop_queue(loop, &handle->ready);
    return 0;
}

/* This is short enough to be seen in the time of a callback: a handle of the pool, which is that of
 * an open loop, is filled in once, in its place of the queue. */
int tl_loop_call_soon(tl_loop *loop, tl_callback callback, void *arg, tl_handle **ret)
{
    if (loop == NULL || callback == NULL)
        return -EINVAL;
    if (__builtin_expect(loop->debug || loop->handles.first == NULL, false))
        return call_soon_new(loop, callback, arg, ret);
    tl_handle *handle = tl_handle_pool_take(&loop->handles);
    handle->callback = callback;
    handle->arg = arg;
    handle->refs = ret != NULL ? 2 : 1;
    handle->special = 0;
    tl_ready_queue_add(&loop->ready, &handle->ready, tl_handle_run, handle);
    if (ret != NULL)
        *ret = handle;
    return 0;
}

int tl_loop_call_at(tl_loop *loop, tl_time when, tl_callback callback, void *arg,
                    tl_timer_handle **ret)
{
    if (loop == NULL || callback == NULL)
        return -EINVAL;
    if (loop->debug && tl_debug_wrong_thread(loop))
        return TL_ETHREAD;
    tl_timer_handle *handle =
        loop->debug ? tl_traced_timer_handle_alloc() : tl_alloc(sizeof *handle);
    if (handle == NULL)
        return tl_loop_open(loop) ? -ENOMEM : TL_ECLOSED;
    *handle = (tl_timer_handle){.callback = callback, .arg = arg, .refs = ret != NULL ? 2 : 1};
    handle->traced = loop->debug;
    tl_timer_init(&handle->timer, loop, tl_timer_handle_run, handle);
    int r = tl_timer_start(&handle->timer, when);
    if (r < 0) {
        tl_free(handle);
        return r;
    }
    if (ret != NULL)
        *ret = handle;
    return 0;
}

int tl_loop_call_later(tl_loop *loop, tl_time delay, tl_callback callback, void *arg,
                       tl_timer_handle **ret)
{
    if (loop == NULL || callback == NULL)
        return -EINVAL;
    if (loop->debug && tl_debug_wrong_thread(loop))
        return TL_ETHREAD;
    tl_time when;
    if (__builtin_add_overflow(tl_loop_time(loop), delay, &when))
        return -ERANGE;
    return tl_loop_call_at(loop, when, callback, arg, ret);
}
