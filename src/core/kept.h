/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A future that is an operation in itself: a sleep, a wait, a gathering. The loop holds it from the
 * start until it is over, so that whoever made it may drop it; when the loop is closed first, it
 * stays pending and what it held is let go.
 */
#ifndef TL_CORE_KEPT_H
#define TL_CORE_KEPT_H

#include "core/future.h"
#include "core/loop.h"

struct tl_kept {
    tl_future future;
    struct tl_live live; /* until it is over */
};

struct tl_kept_type {
    struct tl_future_type future;

    /* It is over, or the loop was closed: stops timers, takes registrations back, drops references.
     * Called once. */
    void (*let_go)(struct tl_kept *kept);
};

static inline struct tl_kept *tl_kept_of(tl_future *future)
{
    return tl_container_of(future, struct tl_kept, future);
}

/* It has let go of everything: when it is still pending, because its loop was closed. */
static inline bool tl_kept_is_over(const struct tl_kept *kept)
{
    return kept->live.next == NULL;
}

/* A pending one of size bytes, all zero but for the tl_kept at its start. NULL when memory is out.
 * The caller's reference and the loop's. */
void *tl_kept_new(tl_loop *loop, size_t size, const struct tl_kept_type *type);

/* It is over: lets go of everything and gives up the loop's reference. A no-op when repeated. */
void tl_kept_over(struct tl_kept *kept);

/* The same as a tl_future_type's completed, for those that are over when they are done. */
void tl_kept_completed(tl_future *future);

/* 0 if such a future can be made of these, else what to fail with. */
int tl_kept_check(const tl_loop *loop, tl_future *const *futures, size_t count);

/* When a delay from now is over: an instant for a timer, TL_TIME_NEVER included. 0 or -ERANGE. */
int tl_kept_deadline(tl_loop *loop, tl_time delay, tl_time *ret);

#endif
