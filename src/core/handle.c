/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles: what call_soon, call_later and call_at schedule.
 *
 * Cancelling takes the callback out of the queue it waits in and gives back the loop's reference at
 * once (asyncio: a cancelled handle of the running batch is skipped).
 */
#include "core/handle.h"

#include "core/alloc.h"
#include "core/loop.h"

/* The last holder frees. With one holder left nobody else can be counting, so the common case costs
 * no locked instruction. */
static bool last_reference(uint32_t *refs)
{
    if (__atomic_load_n(refs, __ATOMIC_ACQUIRE) == 1)
        return true;
    return __atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL) == 0;
}

tl_handle *tl_handle_new(tl_callback callback, void *arg, tl_handle **ret)
{
    tl_handle *handle = tl_alloc(sizeof *handle);
    if (handle == NULL)
        return NULL;
    tl_handle_init(handle, callback, arg, ret);
    return handle;
}

void tl_handle_run(void *arg)
{
    tl_handle *handle = arg;
    if (!handle->cancelled)
        handle->callback(handle->arg);
    tl_handle_unref(handle);
}

void tl_handle_discard(void *arg)
{
    tl_handle_unref(arg);
}

void tl_handle_cancel(tl_handle *handle)
{
    if (handle == NULL || handle->cancelled)
        return;
    handle->cancelled = true;
    if (tl_ready_queued(&handle->ready)) {
        tl_ready_remove(&handle->ready);
        tl_handle_unref(handle);
    }
}

bool tl_handle_cancelled(const tl_handle *handle)
{
    return handle->cancelled;
}

tl_handle *tl_handle_ref(tl_handle *handle)
{
    __atomic_add_fetch(&handle->refs, 1, __ATOMIC_RELAXED);
    return handle;
}

void tl_handle_unref(tl_handle *handle)
{
    if (handle != NULL && last_reference(&handle->refs))
        tl_free(handle);
}

void tl_timer_handle_run(void *arg)
{
    tl_timer_handle *handle = arg;
    handle->callback(handle->arg);
    tl_timer_handle_unref(handle);
}

void tl_timer_handle_discard(void *arg)
{
    tl_timer_handle_unref(arg);
}

void tl_timer_handle_cancel(tl_timer_handle *handle)
{
    if (handle == NULL || handle->cancelled)
        return;
    handle->cancelled = true;
    if (tl_timer_active(&handle->timer)) {
        tl_timer_stop(&handle->timer);
        tl_timer_handle_unref(handle);
    }
}

bool tl_timer_handle_cancelled(const tl_timer_handle *handle)
{
    return handle->cancelled;
}

tl_time tl_timer_handle_when(const tl_timer_handle *handle)
{
    return handle->timer.when;
}

tl_timer_handle *tl_timer_handle_ref(tl_timer_handle *handle)
{
    handle->refs++;
    return handle;
}

void tl_timer_handle_unref(tl_timer_handle *handle)
{
    if (handle != NULL && --handle->refs == 0)
        tl_free(handle);
}
