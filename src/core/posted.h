/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Posted callbacks: a handle and its way across to the loop, in one piece of memory; and where that
 * memory is used again.
 */
#ifndef TL_CORE_POSTED_H
#define TL_CORE_POSTED_H

#include <twinloop/kernel.h>
#include "core/handle.h"

struct tl_thread;

struct tl_posted {
    struct tl_post post;
    tl_handle handle; /* last: in debug mode it is a tl_traced_handle */
};

/* Memory of posts that are over. Of a loop, and on the loop's thread but for shared. */
struct tl_posted_pool {
    struct tl_post *first; /* the bundle that is being made, the oldest first */
    struct tl_post *last;
    unsigned count;   /* in it */
    unsigned bundles; /* in shared at most, as of the last look at it */
};

/* A handle of the loop that is about to be posted by the calling thread, which is self; with the
 * loop's reference, and the program's if ret is not NULL. NULL when memory is out. */
struct tl_posted *tl_posted_new(tl_loop *loop, struct tl_thread *self, tl_callback callback,
                                void *arg, tl_handle **ret);

/* Nobody refers to the handle any more. running is the loop that this thread runs, or NULL. */
void tl_posted_free(tl_handle *handle, tl_loop *running);

/* Frees what the loop keeps, which is closed to other threads. */
void tl_posted_pool_finish(tl_loop *loop);

static inline struct tl_posted *tl_posted_of(struct tl_post *post)
{
    return tl_container_of(post, struct tl_posted, post);
}

#endif
