/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles inside the core: a scheduled callback that owns itself.
 *
 * The loop holds one reference from scheduling until the callback has run, was cancelled or was
 * discarded; the program may hold another. A handle made for another thread is counted atomically,
 * for the thread that made it may give its reference back while the loop runs the callback.
 */
#ifndef TL_CORE_HANDLE_H
#define TL_CORE_HANDLE_H

#include <twinloop/handle.h>
#include "core/ready.h"
#include "core/timer.h"

struct tl_handle {
    struct tl_ready ready; /* runs tl_handle_run(handle) */
    tl_callback callback;
    void *arg;
    uint32_t refs;
    bool cancelled;
    bool posted; /* begins a struct posted (post.c), whose memory it is freed with */
    bool traced; /* it is a tl_traced_handle: see core/debug.h */
};

struct tl_timer_handle {
    struct tl_timer timer; /* runs tl_timer_handle_run(handle) */
    tl_callback callback;
    void *arg;
    uint32_t refs;
    bool cancelled;
    bool traced; /* likewise */
};

/* A handle with the loop's reference, and the program's if ret is not NULL. NULL when memory is
 * out. */
tl_handle *tl_handle_new(tl_callback callback, void *arg, tl_handle **ret);

/* What the ready queue calls. */
void tl_handle_run(void *handle);
void tl_timer_handle_run(void *handle);

/* Gives back the loop's reference of a handle that will not run. */
void tl_handle_discard(void *handle);
void tl_timer_handle_discard(void *handle);

/* As tl_handle_new, in memory that tl_alloc gave. */
static inline void tl_handle_init(tl_handle *handle, tl_callback callback, void *arg,
                                  tl_handle **ret)
{
    *handle = (tl_handle){.callback = callback, .arg = arg, .refs = ret != NULL ? 2 : 1};
    tl_ready_init(&handle->ready, tl_handle_run, handle);
    if (ret != NULL)
        *ret = handle;
}

#endif
