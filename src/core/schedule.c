/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheduling: call_soon, call_later, call_at. Each makes a handle that owns itself and puts it
 * where its turn will come; see core/handle.h for who holds it.
 */
#include <errno.h>

#include "core/alloc.h"
#include "core/handle.h"
#include "core/loop.h"

int tl_loop_call_soon(tl_loop *loop, tl_callback callback, void *arg, tl_handle **ret)
{
    if (loop == NULL || callback == NULL)
        return -EINVAL;
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    tl_handle *handle = tl_handle_new(callback, arg, ret);
    if (handle == NULL)
        return -ENOMEM;
    tl_loop_queue(loop, &handle->ready);
    return 0;
}

int tl_loop_call_at(tl_loop *loop, tl_time when, tl_callback callback, void *arg,
                    tl_timer_handle **ret)
{
    if (loop == NULL || callback == NULL)
        return -EINVAL;
    tl_timer_handle *handle = tl_alloc(sizeof *handle);
    if (handle == NULL)
        return tl_loop_open(loop) ? -ENOMEM : TL_ECLOSED;
    *handle = (tl_timer_handle){.callback = callback, .arg = arg, .refs = ret != NULL ? 2 : 1};
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
    tl_time when;
    if (__builtin_add_overflow(tl_loop_time(loop), delay, &when))
        return -ERANGE;
    return tl_loop_call_at(loop, when, callback, arg, ret);
}
