/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles inside the core: a scheduled callback that owns itself.
 *
 * The loop holds one reference from scheduling until the callback has run, was cancelled or was
 * discarded; the program may hold another. A handle of call_soon_threadsafe is counted atomically,
 * for the thread that made it may give its reference back while the loop runs the callback.
 *
 * A loop keeps the memory of some handles that are gone, for those to come.
 */
#ifndef TL_CORE_HANDLE_H
#define TL_CORE_HANDLE_H

#include <stddef.h>
#include <twinloop/handle.h>
#include <twinloop/protocol.h>
#include "core/poison.h"
#include "core/ready.h"
#include "core/timer.h"

struct tl_handle {
    struct tl_ready ready; /* runs tl_handle_run(handle) */
    tl_callback callback;
    void *arg;
    uint32_t refs;
    union {
        uint32_t special; /* 0: none of these, which is usual */
        struct {
            bool cancelled;
            bool posted; /* of a struct tl_posted (posted.h), with which it is freed */
            bool traced; /* it is a tl_traced_handle: see core/debug.h */
            bool shared; /* counted atomically */
        };
    };
};

struct tl_timer_handle {
    struct tl_timer timer; /* runs tl_timer_handle_run(handle) */
    tl_callback callback;
    void *arg;
    uint32_t refs;
    bool cancelled;
    bool traced; /* likewise */
};

/* What the memory of a handle that is gone begins with. */
struct tl_handle_kept {
    struct tl_handle_kept *next;
    size_t depth; /* how many the list is long from here on */
};

/* Memory of handles that are gone. Of a loop: it is given back when that is closed. Its size is in
 * the list, for a count that changes with every callback would be what the next one waits for. */
struct tl_handle_pool {
    struct tl_handle_kept *first;
};

enum { TL_HANDLE_POOL_MAX = 1024 };

void tl_handle_pool_finish(struct tl_handle_pool *pool);

/* What the ready queue calls. */
void tl_handle_run(void *handle);
void tl_timer_handle_run(void *handle);

/* Gives back the loop's reference of a handle that will not run. */
void tl_handle_discard(void *handle);
void tl_timer_handle_discard(void *handle);

/* As tl_handle_init, in new memory. NULL when memory is out. */
tl_handle *tl_handle_new(tl_callback callback, void *arg, tl_handle **ret);

/* Makes a handle, in memory that tl_alloc gave, with the loop's reference, and the program's if ret
 * is not NULL. */
static inline void tl_handle_init(tl_handle *handle, tl_callback callback, void *arg,
                                  tl_handle **ret)
{
    *handle = (tl_handle){.ready = {.callback = tl_handle_run, .arg = handle},
                          .callback = callback,
                          .arg = arg,
                          .refs = ret != NULL ? 2 : 1};
    if (ret != NULL)
        *ret = handle;
}

/* Takes the first handle out of a pool that has some. */
static inline tl_handle *tl_handle_pool_take(struct tl_handle_pool *pool)
{
    struct tl_handle_kept *kept = pool->first;
    pool->first = kept->next;
    TL_UNPOISON(kept + 1, sizeof(tl_handle) - sizeof *kept);
    return (tl_handle *)kept;
}

#endif
