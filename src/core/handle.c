/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles: what call_soon, call_later and call_at schedule.
 *
 * Cancelling takes the callback out of the queue it waits in and gives back the loop's reference at
 * once (asyncio: a cancelled handle of the running batch is skipped).
 */
#include "core/handle.h"

#include <stddef.h>

#include "core/alloc.h"
#include "core/loop.h"
#include "core/poison.h"
#include "core/posted.h"
#include "core/self.h"

/* Gives a reference back; whether it was the last. */
static inline bool drop_reference(tl_handle *handle)
{
    if (handle->shared)
        return __atomic_sub_fetch(&handle->refs, 1, __ATOMIC_ACQ_REL) == 0;
    return --handle->refs == 0;
}

/* --- Memory ----------------------------------------------------------------------------------- */

tl_handle *tl_handle_new(tl_callback callback, void *arg, tl_handle **ret)
{
    tl_handle *handle = tl_alloc(sizeof *handle);
    if (handle != NULL)
        tl_handle_init(handle, callback, arg, ret);
    return handle;
}

static inline size_t pool_size(const struct tl_handle_pool *pool)
{
    return pool->first != NULL ? pool->first->depth : 0;
}

/* Keeps the memory of a handle of call_soon; size is the pool's. */
static inline void pool_put(struct tl_handle_pool *pool, size_t size, tl_handle *handle)
{
    struct tl_handle_kept *kept = (struct tl_handle_kept *)handle;
    kept->next = pool->first;
    kept->depth = size + 1;
    pool->first = kept;
    TL_POISON(kept + 1, sizeof *handle - sizeof *kept);
}

/* Nobody refers to the handle any more. What the running loop has room for is kept there: that is
 * where the next handle of this thread will be made. */
static void handle_free(tl_handle *handle)
{
    tl_loop *loop = tl_self != NULL ? tl_self->running : NULL;
    if (handle->posted)
        tl_posted_free(handle, loop);
    else if (loop == NULL || handle->traced || pool_size(&loop->handles) >= TL_HANDLE_POOL_MAX)
        tl_free(handle);
    else
        pool_put(&loop->handles, pool_size(&loop->handles), handle);
}

void tl_handle_pool_finish(struct tl_handle_pool *pool)
{
    while (pool->first != NULL)
        tl_free(tl_handle_pool_take(pool));
}

/* --- Handles of callbacks --------------------------------------------------------------------- */

static __attribute__((noinline)) void run_special(tl_handle *handle)
{
    tl_callback callback = handle->callback;
    void *arg = handle->arg;
    bool cancelled = handle->cancelled;
    if (drop_reference(handle))
        handle_free(handle);
    if (!cancelled)
        callback(arg);
}

/* The handle is let go first: if nobody else has it, the callback's own call_soon finds its memory
 * in the cache. */
void tl_handle_run(void *arg)
{
    tl_handle *handle = arg;
    struct tl_handle_pool *pool = &tl_self->running->handles; /* what runs this runs here */
    size_t size = pool_size(pool);
    if (handle->special != 0 || size >= TL_HANDLE_POOL_MAX) {
        run_special(handle);
        return;
    }
    tl_callback callback = handle->callback;
    void *callback_arg = handle->arg;
    if (--handle->refs == 0)
        pool_put(pool, size, handle);
    callback(callback_arg);
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
    if (handle->shared)
        __atomic_add_fetch(&handle->refs, 1, __ATOMIC_RELAXED);
    else
        handle->refs++;
    return handle;
}

void tl_handle_unref(tl_handle *handle)
{
    if (handle != NULL && drop_reference(handle))
        handle_free(handle);
}

/* --- Handles of timers ------------------------------------------------------------------------ */

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
